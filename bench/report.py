"""The figures as a page: ratios first, since absolute times belong to one machine on one day."""

from __future__ import annotations

from datetime import UTC, datetime

from bench.images import Figures
from bench.pairs import Pair, Spread

MB = 1_000_000
HEAD = """# Benchmarks

Measured by `make bench` on {today}
({machine}).
Only the ratios within one run mean something elsewhere. Medians, with the lowest and the highest in brackets. A push's
bytes are those of the layers that the registry does not have yet, compressed. "The tutorials" is
[bench/tutorial/Dockerfile](../bench/tutorial/Dockerfile): everything added, then installed, as root, with Flask's own
server.

"""


def page(machine: str, start_up: Pair, figures: Figures) -> str:
    """The whole of docs/benchmarks.md."""
    parts = [_command_line(start_up, figures), _image(figures), _edits(figures)]
    return HEAD.format(today=datetime.now(UTC).date(), machine=machine) + "\n".join(parts)


def _command_line(start_up: Pair, figures: Figures) -> str:
    return _table(
        "Command line",
        ("", "seconds", "ratio", "target"),
        (
            ("`mldeploy --help` against a hello-world Typer program", _s(start_up.ours), _s(start_up.ratio), "≤ 1.2"),
            ("`build` with nothing to do", _s(figures.unchanged_build), "", "≤ 0.25 s"),
            ("`deploy` with nothing to do", _s(figures.unchanged_deploy), "", "≤ 2 s"),
        ),
    )


def _image(figures: Figures) -> str:
    ratio = figures.size / figures.tutorial_size
    pushed = figures.pushed / figures.tutorial_pushed
    cold = figures.cold_build
    over = (figures.size - figures.base_size) / (figures.tutorial_size - figures.base_size)
    return _table(
        "Image",
        ("", "mldeploy", "the tutorials", "ratio", "target"),
        (
            ("size, MB", _mb(figures.size), _mb(figures.tutorial_size), f"{ratio:.2f}", "≤ 0.8"),
            ("of which over the base, MB", *_over(figures), f"{over:.2f}", ""),
            ("compressed, MB", _mb(figures.pushed), _mb(figures.tutorial_pushed), f"{pushed:.2f}", ""),
            ("cold build, s", _s(cold.ours), _s(cold.theirs), _s(cold.ratio), "≤ 1.0"),
        ),
    )


def _over(figures: Figures) -> tuple[str, str]:
    return _mb(figures.size - figures.base_size), _mb(figures.tutorial_size - figures.base_size)


def _edits(figures: Figures) -> str:
    code, model, theirs = figures.code_edit_pushed, figures.model_edit_pushed, figures.tutorial_edit_pushed
    return _table(
        "After an edit",
        ("", "mldeploy", "target"),
        (
            ("build after a code edit, s", _s(figures.code_edit_build), "≤ 0.5"),
            ("build after a model edit, s", _s(figures.model_edit_build), ""),
            ("deploy after a code edit, s", _s(figures.code_edit_deploy), ""),
            ("of which the port is silent, s", _s(figures.code_edit_gap), ""),
            ("a push carries after a code edit, bytes", f"{code:,}", "≤ 10,000"),
            ("the same in the tutorials, bytes", f"{theirs:,}", ""),
            ("a push carries after a model edit, bytes", f"{model:,}", ""),
        ),
    )


def _table(title: str, head: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows)]
    return "\n".join((f"## {title}", "", *lines, ""))


def _s(spread: Spread) -> str:
    return f"{spread.median:.2f} ({spread.low:.2f} to {spread.high:.2f})"


def _mb(size: int) -> str:
    return f"{size / MB:.0f}"
