"""Write docs/targets.md from the tests: which promise holds on which target, and which test proves it.

    python -m scripts.targets docs/targets.md           # write
    python -m scripts.targets --check docs/targets.md   # compare; exit status 1 where they differ

Nothing is run: the tests are collected, and `make test` runs them.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mldeploy.providers import registry
from mldeploy.testing.promises import MARKER, Promise

FOLDERS = ("adversarial", "aws", "azure", "check", "dockerhub", "gcp", "kubernetes", "local", "targets")
Cell = tuple[Promise, str]

_AS_KUBERNETES = "The steps are those of `kubernetes`, and only its tests prove it."
_NO_OTHER_PARTY = "No published answers and no other simulator were found to hold it against."
OPEN: Mapping[Cell, str] = {
    **dict.fromkeys(
        [(each, "gke") for each in (Promise.GOLDEN_ROW, Promise.NO_DOWNTIME, Promise.HTTPS, Promise.DOMAIN)],
        _AS_KUBERNETES,
    ),
    **{(Promise.INDEPENDENT, each): _NO_OTHER_PARTY for each in ("containerapps", "dockerhub", "gar", "gcr", "gke")},
}
"""Cells that neither a test proves nor a refusal: the reason. Each is shown as open."""


@dataclass
class PromiseCollector:
    """A pytest plugin. proofs: the tests of each cell; refusals: why a target does not offer it."""

    targets: Sequence[str]
    proofs: dict[Cell, list[str]] = field(default_factory=dict)
    refusals: dict[Cell, str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in (each for each in items if isinstance(each, pytest.Function)):
            for marker in item.iter_markers(MARKER):
                self._add(item, marker)

    def _add(self, item: pytest.Function, marker: pytest.Mark) -> None:
        test = item.nodeid.partition("[")[0]
        for target in marker.kwargs.get("targets") or self._targets_of(item):
            if target not in self.targets:
                self.errors.append(f"{test}: there is no target {target!r}")
            for promise in set(marker.args) - getattr(item.cls, "unsupported", frozenset()):
                if reason := marker.kwargs.get("refused"):
                    self.refusals[promise, target] = reason
                elif test not in (tests := self.proofs.setdefault((promise, target), [])):
                    tests.append(test)
        if not (marker.kwargs.get("targets") or self._targets_of(item)):
            self.errors.append(f"{test}: its marker names no target")

    def _targets_of(self, item: pytest.Function) -> tuple[str, ...]:
        """The target that a test's parameter or its class names."""
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        for name in ("target", "name"):
            if (value := parameters.get(name)) in self.targets:
                return (str(value),)
        target = getattr(item.cls, "target", "")
        return (target,) if isinstance(target, str) and target else ()

    def problems(self) -> Iterator[str]:
        yield from self.errors
        for promise in Promise:
            states = {each: self._states((promise, each)) for each in self.targets}
            if missing := [target for target, state in states.items() if not any(state)]:
                yield f"{promise.value}: nothing proves or refuses it on {', '.join(missing)}"
            if double := [target for target, state in states.items() if sum(state) > 1]:
                yield f"{promise.value}: proven, and refused or open, on {', '.join(double)}"

    def _states(self, cell: Cell) -> tuple[bool, bool, bool]:
        return cell in self.proofs, cell in self.refusals, cell in OPEN


def collect(targets: Sequence[str]) -> PromiseCollector:
    """Collect all tests of the targets. SystemExit with pytest's own words if they cannot be collected."""
    collector = PromiseCollector(targets)
    printed = io.StringIO()
    # Without the exhaustive mark's filter: a sweep is a proof as well.
    arguments = [
        "--collect-only",
        "-q",
        "-p",
        "no:xdist",
        "-p",
        "no:cacheprovider",
        *(f"tests/{each}" for each in FOLDERS),
    ]
    with contextlib.redirect_stdout(printed):
        code = pytest.main(arguments, plugins=[collector])
    if code:
        sys.exit(f"{printed.getvalue()[-2000:]}\nThe tests could not be collected.")
    return collector


def render(collector: PromiseCollector) -> str:
    """The page: the table, then the tests behind each cell."""
    head = ["promise", *collector.targets]
    rows = [head, ["---"] * len(head)]
    rows += [
        [promise.value, *(cell_text(collector, (promise, each)) for each in collector.targets)] for promise in Promise
    ]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    reasons = "\n".join(f"{number}. {reason}" for number, reason in enumerate(reasons_of(collector), start=1))
    proofs = "\n\n".join(section(collector, promise) for promise in Promise)
    return PAGE.format(table=table, reasons=reasons, proofs=proofs)


def reasons_of(collector: PromiseCollector) -> list[str]:
    """Each reason once, in the order of the table."""
    cells = [(promise, target) for promise in Promise for target in collector.targets]
    every = [collector.refusals.get(cell) or OPEN.get(cell, "") for cell in cells]
    return list(dict.fromkeys(filter(None, every)))


def cell_text(collector: PromiseCollector, cell: Cell) -> str:
    if cell in collector.proofs:
        return f"[yes](#{anchor(cell[0])})"
    if cell in collector.refusals:
        return f"not offered ({reasons_of(collector).index(collector.refusals[cell]) + 1})"
    return f"open ({reasons_of(collector).index(OPEN[cell]) + 1})"


def anchor(promise: Promise) -> str:
    return promise.value.lower().replace(" ", "-")


def section(collector: PromiseCollector, promise: Promise) -> str:
    lines = [f"### {promise.value}", ""]
    for target in collector.targets:
        if tests := collector.proofs.get((promise, target)):
            lines.append(f"- `{target}`: {', '.join(f'`{test}`' for test in tests)}")
    return "\n".join(lines)


PAGE = """\
<!-- Written by `python -m scripts.targets docs/targets.md`; `make lint` compares it with the tests. -->
# What holds on which target

Each cell is collected from the tests, never written by hand. *Yes* is a test that proves it, listed below the table.
*Not offered* is a test that the command or the key is refused with its reason. *Open* is known to be missing.
No cloud target has been tried in a real account yet: the proofs run against the simulators of
[the rehearsal](rehearsal.md).

{table}

{reasons}

## The proofs

{proofs}
"""


def main() -> None:
    """Write or compare the page. SystemExit where a cell has no proof, or the page is out of date."""
    *options, path = sys.argv[1:]
    page = Path(path)
    collector = collect(registry.names())
    if problems := list(collector.problems()):
        sys.exit("\n".join(problems))
    text = render(collector)
    if "--check" not in options:
        page.write_text(text, encoding="utf-8")
    elif not page.is_file() or page.read_text(encoding="utf-8") != text:
        sys.exit(f"{page} is out of date: run `python -m scripts.targets {page}`.")


if __name__ == "__main__":
    main()
