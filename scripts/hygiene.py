"""Look for what no committed file may name: a package registry's host, or a path of the machine it was written on."""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

HOSTS = r"\b(pypi|pythonhosted|npmjs|(deb|security|snapshot)\.debian|(archive|security)\.ubuntu)\.(org|com)\b"
PATHS = r"(?<![\w.\-])/(root|work|opt/wheels|home/(?!app\b|mldeploy\b)\w+|Users/\w+)/"
FORBIDDEN = re.compile(f"{HOSTS}|{PATHS}")


def main() -> None:
    """SystemExit with every place in a committed file that names such a thing."""
    names = subprocess.run(["git", "ls-files", "-z"], check=True, capture_output=True, text=True).stdout
    found = [place for name in names.split("\0") if name for place in places(Path(name))]
    if found:
        sys.exit("\n".join([*found, "No committed file may name a package registry's host or a machine's own path."]))
    if left := leftovers(names.split("\0")):
        sys.exit("\n".join([*left, "No file may be committed that a merge or an editor left behind."]))


def leftovers(names: Iterable[str]) -> list[str]:
    """The names of files that a merge or an editor leaves behind."""
    return [name for name in names if name.endswith((".bak", ".orig", ".rej", "~"))]


def places(file: Path) -> Iterator[str]:
    """Where the file names what it must not, as `file:line: what`. Binary and deleted files have no such place."""
    try:
        text = file.read_text()
    except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
        return
    for number, line in enumerate(text.splitlines(), start=1):
        for match in FORBIDDEN.finditer(line):
            yield f"{file}:{number}: {match.group()}"


if __name__ == "__main__":
    main()
