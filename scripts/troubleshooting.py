"""Write docs/troubleshooting.md from the causes and remedies in the code.

python -m scripts.troubleshooting docs/troubleshooting.md           # write
python -m scripts.troubleshooting --check docs/troubleshooting.md   # compare; exit status 1 where they differ
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from mldeploy.app.causes import diagnose_exit_code
from mldeploy.app.log_causes import diagnose_log
from mldeploy.app.signs import environment, files, models, packages, start
from mldeploy.app.signs.sign import Sign
from mldeploy.core.errors import ExitCode

REQUIREMENTS = "requirements.txt"
SECTIONS = (
    ("The model", (*models.PICKLES, *models.FORMATS, *models.DOWNLOADS)),
    ("Packages", (*packages.IMPORTS, *packages.COMPATIBILITY, *packages.OPTIONAL)),
    ("Files and programs", (*files.MISSING_PROGRAMS, *files.FILES)),
    ("The start of the server", (*start.PROGRAM, *start.SERVER)),
    ("Variables and services", (*environment.VARIABLES, *environment.SERVICES)),
)
LINES = (
    "ModuleNotFoundError: No module named 'flask_cors'",
    "ModuleNotFoundError: No module named 'pkg_resources'",
    "ModuleNotFoundError: No module named 'distutils'",
    "ModuleNotFoundError: No module named 'sklearn.ensemble.forest'",
    "ImportError: cannot import name 'app' from partially initialized module 'shop'",
    "KeyError: 'API_KEY'",
)
"""Lines of logs whose cause is computed and in no table."""
EXIT_CODES = (0, 3, 4, 126, 127, 132, 134, 137, 139, 143)
REMEDIES = {
    ExitCode.FAILED: "Read the verdict: cause, log, remedy. `mldeploy logs` has more. The tables below explain causes.",
    ExitCode.USAGE: "`mldeploy help COMMAND` shows the arguments. Without a terminal, `destroy` needs `--yes`.",
    ExitCode.CONFIG: "The message names the file and the key. See [configuration](configuration.md).",
    ExitCode.PROJECT: "The message names the file. Check `-C`, and run `mldeploy init` in the folder.",
    ExitCode.ENGINE: "`mldeploy doctor` says which engine it talks to, and how to start it or to get access.",
    ExitCode.BUILD: "The last lines of the build are in the message. Try `mldeploy build` alone.",
    ExitCode.REMOTE: "Run the command again: it resumes. If it stays, look at the provider's status page.",
    ExitCode.LOCKED: "Wait for the other command. If it was killed: `mldeploy doctor --fix`.",
    ExitCode.REFUSED: "The message names it. Choose another name or remove it; `--replace` recreates your own.",
    ExitCode.LEFTOVERS: "Remove what is listed, or wait until the platform has, and run `mldeploy destroy` again.",
    ExitCode.STATE: "Check the permissions and the free space of the state folder.",
    ExitCode.ACCESS: "Sign in again, or give `mldeploy policy -t TARGET` to an administrator.",
    ExitCode.INTERNAL: "Report it with the log file that the message names.",
    ExitCode.INTERRUPTED: "`mldeploy deploy` goes on; `mldeploy destroy` removes what was created.",
}
PAGE = """\
<!-- Written by `python -m scripts.troubleshooting docs/troubleshooting.md` from the code: change it there. -->
# Troubleshooting

Start with `mldeploy doctor -t TARGET`: it checks this machine, the folder and the target. After a failed
deployment, look for the printed cause in the tables below. Words in capitals stand for what the log says.

## By exit code of mldeploy

| code | meaning | what to do |
|---|---|---|
{codes}

## By line of the app's log

Some causes depend on what the line names. Examples:

| the log says | mldeploy says | what to do |
|---|---|---|
{lines}

{sections}

## By exit code of the app

If the log of an app that ended shows no cause, its exit code does.

| mldeploy says | what to do |
|---|---|
{ends}
"""


class Placeholders(dict[str, str]):
    """The words of a sign's texts, in capitals: what they are is known only from a log."""

    def __missing__(self, name: str) -> str:
        return name.upper()


WORDS = Placeholders(
    {
        "": "NAME",
        "requirements": REQUIREMENTS,
        "debian": "PACKAGE",
        "library_remedy": "Add the package that has it: `system_packages` in [build] of mldeploy.toml.",
    }
)


def render() -> str:
    """The page."""
    return PAGE.format(
        codes="\n".join(row(f"{code.value}", code.meaning, todo) for code, todo in REMEDIES.items()),
        lines="\n".join(computed()),
        sections="\n\n".join(section(title, signs) for title, signs in SECTIONS),
        ends="\n".join(
            row(end.cause, end.todo or "See the log: `mldeploy logs`.") for end in map(diagnose_exit_code, EXIT_CODES)
        ),
    )


def computed() -> Iterator[str]:
    for line in LINES:
        diagnosis = diagnose_log([line], REQUIREMENTS)
        assert diagnosis is not None, line  # noqa: S101 - the examples are chosen so
        yield row(f"`{line}`", diagnosis.cause, diagnosis.todo)


def section(title: str, signs: Iterable[Sign]) -> str:
    """A table of the causes of one subject, each once."""
    rows = dict.fromkeys(row(sign.cause.format_map(WORDS), sign.todo.format_map(WORDS)) for sign in signs)
    return "\n".join((f"## {title}", "", "| mldeploy says | what to do |", "|---|---|", *rows))


def row(*cells: str) -> str:
    escaped = (cell.replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"


def main() -> None:
    """SystemExit with a sentence if the page is out of date."""
    *options, path = sys.argv[1:]
    page = Path(path)
    if "--check" not in options:
        page.write_text(render(), encoding="utf-8")
    elif not page.is_file() or page.read_text(encoding="utf-8") != render():
        sys.exit(f"{page} is out of date: run `python -m scripts.troubleshooting {page}`.")


if __name__ == "__main__":
    main()
