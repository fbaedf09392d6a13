"""Compile requirements/dev.txt: every package of the one environment, pinned and hashed, for every Python from 3.11 on.

The file ends with the digest of what it was made from, so that `--check` needs no network.
"""

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path("pyproject.toml")
INPUT = Path("requirements/dev.in")
OUTPUT = Path("requirements/dev.txt")
MARK = "# made from sha256:"


def main() -> None:
    """Compile the file, or with `--check` exit with a sentence when it is out of step with its sources."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say whether the file is in step with its sources")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions instead of keeping the pins")
    arguments = parser.parse_args()
    made_from = f"{MARK}{digest(PROJECT, INPUT)}"
    if not arguments.check:
        compile_pins(upgrade=arguments.upgrade)
        OUTPUT.write_text(f"{OUTPUT.read_text()}{made_from}\n")
    elif made_from not in OUTPUT.read_text():
        sys.exit(f"{OUTPUT} is out of step with {PROJECT} or {INPUT}: run `make lock` and commit it.")


def digest(project: Path, requirements: Path) -> str:
    """The sha256 of what is required, whatever the comments, blank lines and order."""
    declared = tomllib.loads(project.read_text())["project"]
    wanted = [declared["requires-python"], sorted(declared["dependencies"]), sorted(lines(requirements))]
    return hashlib.sha256(json.dumps(wanted).encode()).hexdigest()


def lines(requirements: Path) -> Iterator[str]:
    """The requirements of a file and of the files that it includes (-r) or is bound by (-c)."""
    for raw in requirements.read_text().splitlines():
        line = raw.partition("#")[0].strip()
        option, _, name = line.partition(" ")
        if option in {"-r", "-c"}:
            yield from (f"{option}{included}" for included in lines(requirements.parent / name.strip()))
        elif line:
            yield line


def compile_pins(*, upgrade: bool) -> None:
    """Write the pins, keeping those that still fit unless `upgrade`. Needs the network; SystemExit if nothing fits."""
    # From the public index alone, whatever this machine is set to: the file must work on every other machine.
    environment = {name: value for name, value in os.environ.items() if not re.match("UV_.*(INDEX|FIND_LINKS)", name)}
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        "compile",
        "--quiet",
        "--no-config",
        PROJECT,
        INPUT,
        "--output-file",
        OUTPUT,
    ]
    pins = ["--universal", "--python-version", "3.11", "--generate-hashes"]
    silent = ["--no-emit-index-url", "--no-emit-find-links", "--custom-compile-command", "make lock"]
    newest = ["--upgrade"] if upgrade else []
    if subprocess.run([*command, *pins, *silent, *newest], check=False, env=environment).returncode:
        sys.exit("No set of versions fits; uv says why above.")


if __name__ == "__main__":
    main()
