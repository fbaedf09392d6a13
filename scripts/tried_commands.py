"""Write docs/tried-commands.md from the tests of the pages: what is run, what is not and why, and lines of others.

python -m scripts.tried_commands docs/tried-commands.md           # write
python -m scripts.tried_commands --check docs/tried-commands.md   # compare; exit status 1 where they differ
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from tests.docs.pages import PAGES, ROOT, VENDORS, lines_of, vendor_lines
from tests.docs.trial import NOT_RUN
from tests.docs.trials import TRIALS

NAME = "tried-commands.md"
PAGE = """\
<!-- Written by `python -m scripts.tried_commands docs/tried-commands.md` from the tests: change it there. -->
# Tried commands

`tests/docs/test_pages.py` types the lines of each page below into a shell, from the top of the page to its end, in a
new folder. A line for a cloud or a cluster is rehearsed (`--rehearse`), an app gets a free port, and questions are
answered; nothing else is changed. `doctor` looks at real accounts: for a cloud it is run without one, and must end with
exit code 1 or 12. Most pages take long and are part of `make test-all`.

| page | lines of mldeploy | in `make test` |
|---|---|---|
{pages}

{run} lines are run.

## Not run

| line | why |
|---|---|
{not_run}

## Programs of others

These lines and mentions are of {vendors}. They need an account or a cluster of yours, and no test
runs them. Where one follows in a pipe, a test reads what mldeploy writes into it.

| page | line |
|---|---|
{others}
"""


def render() -> str:
    """The page."""
    run = {(line.page, line.text) for trial in TRIALS.values() for line in trial.lines() if line.calls_mldeploy}
    return PAGE.format(
        pages="\n".join(_pages()),
        run=len(run),
        not_run="\n".join(_row(f"`{line}`", why) for line, why in NOT_RUN.items()),
        vendors=", ".join(f"`{each}`" for each in VENDORS),
        others="\n".join(_others()),
    )


def _pages() -> Iterator[str]:
    for page in PAGES:
        name = page.relative_to(ROOT).as_posix()
        trials = [trial for trial in TRIALS.values() if trial.page == name]
        lines = [line for trial in trials for line in trial.lines() if line.calls_mldeploy]
        if lines:
            quick = sum(line.calls_mldeploy for trial in trials if trial.is_quick for line in trial.lines())
            yield _row(_link(name), str(len(lines)), {0: "", len(lines): "all"}.get(quick, str(quick)))


def _others() -> Iterator[str]:
    for page in PAGES:
        name = page.relative_to(ROOT).as_posix()
        if name == f"docs/{NAME}" or name.startswith("docs/decisions/"):
            continue
        parts = (part.strip() for line in lines_of(page) for part in line.text.split(" | ")[1:])
        piped = (part for part in parts if part.split()[0] in VENDORS)
        for line in dict.fromkeys((*vendor_lines(page), *piped)):
            yield _row(_link(name), f"`{line}`")


def _link(page: str) -> str:
    return f"[{page}]({'../' if page == 'README.md' else ''}{page.removeprefix('docs/')})"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def main() -> None:
    """SystemExit with a sentence if the page is out of date."""
    *options, path = sys.argv[1:]
    page = Path(path)
    if "--check" not in options:
        page.write_text(render(), encoding="utf-8")
    elif not page.is_file() or page.read_text(encoding="utf-8") != render():
        sys.exit(f"{page} is out of date: run `python -m scripts.tried_commands {page}`.")


if __name__ == "__main__":
    main()
