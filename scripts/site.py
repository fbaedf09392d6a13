"""Build the documentation's site from the Markdown of the repository: `make docs`.

    python -m scripts.site [FOLDER]     # default: site/, which git ignores; the pages are in FOLDER/html

The build is strict: a link to a page or a heading that does not exist is an error, and so is a page that the navigation
lacks. The pages are copied with their folders, so that a link works in the repository and on the site alike.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONFIG = "zensical.toml"
PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs")
LINK = re.compile(r"\[(?P<text>[^\]\[]+)\]\((?P<path>[^)#\s]+)(?:#[^)\s]*)?\)")
SHALLOW = re.compile(r"\n\n(?P<line> {1,3}\S.*)")
ATTACHED = re.compile(
    r"^(?:(?![-|#<>\s]|\d+\. )|    (?=[^\s-])).+\n(?P<line>(?:- |\d+\. |\| ).*)",
    re.MULTILINE,
)
_FENCE = re.compile(r"^ *(```|~~~).*?^ *\1", re.MULTILINE | re.DOTALL)


def main() -> None:
    """SystemExit with the problems, one a line, if there are any."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "site"
    if problems := [*broken_links(ROOT), *pages_without_navigation(ROOT), *broken_lists(ROOT)]:
        sys.exit("\n".join(problems))
    build(ROOT, folder)
    print(f"{folder / 'html' / 'index.html'}")


def sources(root: Path) -> Iterator[Path]:
    """All Markdown files of the site."""
    for name in PAGES:
        path = root / name
        yield from sorted(path.rglob("*.md")) if path.is_dir() else [path]


def broken_links(root: Path) -> Iterator[str]:
    """Relative links to files that the repository does not have. Zensical itself looks at links to pages only."""
    for page in sources(root):
        for match in LINK.finditer(_FENCE.sub("", page.read_text(encoding="utf-8"))):
            if ":" not in match["path"] and not (page.parent / match["path"]).exists():
                yield f"{page.relative_to(root)}: {match['path']} does not exist"


def pages_without_navigation(root: Path) -> Iterator[str]:
    """Pages that no reader would find. The decisions have a list of their own."""
    listed = set(_paths(tomllib.loads((root / CONFIG).read_text(encoding="utf-8"))["project"]["nav"]))
    for page in sources(root):
        name = page.relative_to(root).as_posix()
        if name not in listed and not name.startswith("docs/decisions/"):
            yield f"{name} is not in the navigation of {CONFIG}"


def broken_lists(root: Path) -> Iterator[str]:
    """Lists that GitHub shows as meant, and Python-Markdown does not."""
    for page in sources(root):
        text = page.read_text(encoding="utf-8")
        if match := SHALLOW.search(text):
            yield f"{page.relative_to(root)}: indent what belongs to an item by four spaces: {match['line']}"
        if match := ATTACHED.search(_FENCE.sub("", text)):
            yield f"{page.relative_to(root)}: needs an empty line before it: {match['line']}"


def _paths(entry: object) -> Iterator[str]:
    match entry:
        case str():
            yield entry
        case list():
            yield from (path for each in entry for path in _paths(each))
        case dict():
            yield from (path for each in entry.values() for path in _paths(each))


def build(root: Path, folder: Path) -> None:
    """Copy the pages to FOLDER/pages and build FOLDER/html. SystemExit with Zensical's message if a link is broken."""
    shutil.rmtree(folder, ignore_errors=True)
    for page in sources(root):
        copy = folder / "pages" / page.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(_without_source_links(page), encoding="utf-8")
    for file in (*(root / "docs" / "schemas").glob("*.json"), *(root / "docs" / "media").glob("*.*")):
        copy = folder / "pages" / file.relative_to(root)
        copy.parent.mkdir(exist_ok=True)
        shutil.copy(file, copy)
    shutil.copy(root / CONFIG, folder)
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    run = subprocess.run(
        command, cwd=folder, env={**os.environ, "NO_COLOR": "1"}, capture_output=True, text=True, check=False
    )
    if run.returncode:
        sys.exit(f"{run.stdout}{run.stderr}")


def _without_source_links(page: Path) -> str:
    """The text of a page. A link to a folder or a source file, which the site does not have, becomes its text."""

    def unlink(match: re.Match[str]) -> str:
        is_here = ":" in match["path"] or match["path"].endswith((".md", ".json", ".png", ".svg"))
        return match[0] if is_here else match["text"]

    return LINK.sub(unlink, page.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
