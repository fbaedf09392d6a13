"""How the lines of a page of the documentation are run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.docs import folders
from tests.docs.pages import ROOT, Line, lines_of

EDIT = "echo '# another version' >> app.py"
"""A line that makes another version of the app in a folder."""
NO_ACCOUNT = (1, 12)
"""Exit codes of commands that look at a real account, where there is none."""

NOT_RUN: Mapping[str, str] = {
    "mldeploy build --platform linux/arm64 --no-check": "needs a base image for another processor",
}
"""Lines that no test runs: the reason."""


def deploy(target: str, *options: str) -> str:
    return " ".join(("mldeploy deploy --target", target, *options))


@dataclass(frozen=True)
class Trial:
    """How the lines of a page are run.

    page: its path in the repository. prepare: makes the reader's folder. sections: the headings whose lines are run;
    empty for all. before: lines that the test types before a line of the page. expected: exit codes of lines that do
    not end with 0. variables: of the reader's environment. elsewhere: lines that another page's trial runs. anew: each
    line in a folder of its own. is_quick: part of `make test`.
    """

    page: str
    prepare: Callable[[Path], None] = folders.app
    sections: tuple[str, ...] = ()
    before: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    expected: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    elsewhere: tuple[str, ...] = ()
    anew: bool = False
    is_quick: bool = False

    def lines(self) -> Iterator[Line]:
        """Yield the lines to run, in order."""
        for line in lines_of(ROOT / self.page):
            is_meant = not self.sections or line.section in self.sections
            if (
                is_meant
                and line.text not in NOT_RUN
                and (line.calls_mldeploy or line.text.startswith(("cd ", "curl ")))
            ):
                yield line
