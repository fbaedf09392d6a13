"""The page says what was measured, what is aimed at, and whether that is reached; and nothing that was not measured."""

from pathlib import Path

import pytest

from bench import building, commands, serving
from bench.figures import Figures, Measured
from bench.pairs import Spread
from bench.plots import PLOTS, plots
from bench.report import Target, page, spread

DOCS = Path(__file__).parents[2] / "docs"
VERSIONS = {"mlflow": "3.0", "bentoml": "1.0"}


def measured(figures: Figures) -> Measured:
    return Measured("2026-01-02", "2 CPUs", 1.5, figures)


def line(text: str, start: str) -> str:
    (found,) = (each for each in text.splitlines() if each.startswith(f"| {start}"))
    return found


def test_ratios_are_taken_round_by_round() -> None:
    figures = Figures()
    figures.add_all("x", "ours", [1, 4, 9])
    figures.add_all("x", "theirs", [2, 2, 3])
    assert figures.ratio("x", "ours", "theirs") == Spread((0.5, 2.0, 3.0))


def test_rounds_that_do_not_belong_together_have_no_ratio() -> None:
    figures = Figures()
    figures.add_all("x", "ours", [1, 4])
    figures.add("x", "theirs", 2)
    assert figures.ratio("x", "ours", "theirs") is None


def test_one_value_has_no_brackets() -> None:
    assert spread(Spread((2.0,))) == "2.00"
    assert spread(Spread((3.0, 1.0, 2.0))) == "2.00 (1.00 to 3.00)"


@pytest.mark.parametrize(
    ("value", "at_least", "verdict"),
    [(1.0, False, "met"), (1.01, False, "**missed**"), (1.0, True, "met"), (0.99, True, "**missed**")],
)
def test_a_target_is_met_up_to_its_limit(value: float, at_least: bool, verdict: str) -> None:
    assert Target("x", Spread((value,)), 1.0, at_least=at_least).row()[-1] == verdict


def test_each_target_stands_beside_its_figure() -> None:
    figures = Figures()
    for whose, rate in (("mldeploy", 300), ("MLflow", 100), (serving.CEILING, 500)):
        figures.add(serving.ONE_ROW, whose, rate)
    text = page({"serving": measured(figures)}, VERSIONS)
    assert line(text, "requests/s ÷ MLflow's, 1 row ") == "| requests/s ÷ MLflow's, 1 row | ≥ 1.5 | 3.00 | met |"
    assert line(text, "requests/s ÷ `pipeline.predict` alone, 1 row ").endswith("| ≥ 0.8 | 0.60 | **missed** |")


def test_bytes_are_told_in_full() -> None:
    figures = Figures()
    figures.add(building.PUSHED_CODE, "mldeploy", 12_345)
    text = page({"image": measured(figures)}, VERSIONS)
    assert line(text, "a push after a code edit") == (
        "| a push after a code edit | ≤ 10,000 bytes | 12,345 | **missed** |"
    )


def test_what_was_not_measured_is_said_and_has_no_figure() -> None:
    text = page({"cli": measured(Figures())}, VERSIONS)
    assert "Not measured yet: `python -m bench serving`." in text
    assert line(text, "`build` with nothing to do |") == "| `build` with nothing to do | ≤ 0.25 s | not measured | - |"
    assert "2026-01-02" in text


def test_figures_survive_their_file(tmp_path: Path) -> None:
    figures = Figures()
    figures.add_all(commands.HELP, "mldeploy", [0.1, 0.25])
    kept = measured(figures)
    kept.write(tmp_path / "bench" / "cli.json")
    assert Measured.read(tmp_path / "bench" / "cli.json") == kept
    assert Measured.read(tmp_path / "bench" / "image.json") is None


def test_the_bars_are_those_of_the_kept_figures() -> None:
    """To mend it: `python -m bench page`."""
    kept = {part: Measured.read(DOCS / "bench" / f"{part}.json") for part, _ in PLOTS.values()}
    drawn = plots(kept)
    assert len(drawn) == len(PLOTS)
    assert {name: (DOCS / "media" / name).read_text(encoding="utf-8") for name in drawn} == drawn
    assert all(f"media/{name}" in (DOCS / "benchmarks.md").read_text(encoding="utf-8") for name in drawn)
