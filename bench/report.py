"""The figures as a page: beside each target its figure, and whether it is met."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench import building, commands, deploying, serving
from bench.figures import Figures, Measured
from bench.pairs import Pair, Spread
from bench.plots import PLOTS

MB = 1_000_000
NONE = "-"
OURS, TUTORIALS, MLFLOW, BENTOML = "mldeploy", "the tutorials", "MLflow", "BentoML"

HEAD = """# Benchmarks

`make bench` measures all of it, `python -m bench PART` a part of it anew; the page is made from what was measured, kept
in [bench/](bench/). Medians, with the lowest and the highest in brackets. Only ratios within one part's run mean
something elsewhere: a ratio is taken round by round, ours and theirs one after the other.

Every contestant gets the same model and the same versions of its libraries ([bench/stock_app](../bench/stock_app)):
scikit-learn's one-hot encoding and scaling before gradient boosting, trained on 1,338 rows; the same base image, the
same classic builder, both cores. Whoever predicts anything else than the others is not compared.

"""
WHY = """
## Where a target is missed, and why

- **Requests/s.** `pipeline.predict` alone takes most of the processor time of a request of one row: two cores divided
  by its calls a second, against "CPU ms a request" of everybody. The rest is the DataFrame, Flask, gunicorn, the log,
  and what wrk itself takes. MLflow pays for the same call, so the more it takes, the less a better server gains. With
  1,000 rows in a request, reading and writing JSON comes to that. granian, which is written in Rust, answers a little
  more, but loads the model once a worker (`python -m bench.servers` compares servers).
- **Cold start.** Both import pandas, scikit-learn and Flask, both from bytecode, which is most of the time; the
  tutorials' image serves from the process that has imported them.
- **`build` with nothing to do.** A hello-world Typer program takes half of that, and importing the Docker SDK and
  Pydantic most of the rest (`python -X importtime -m mldeploy build`).
"""
CHANGED = """
## What had to be changed for the others

All of it is in [bench/contestants](../bench/contestants) and [bench/peers](../bench/peers).

- **The base image.** All build on the base image of this machine. Where the network inspects TLS, it gets this
  machine's certificates and `PIP_CERT` and `SSL_CERT_FILE` (mldeploy alone has a setting for that), and pip may install
  beside Debian's packages.
- **MLflow** {mlflow} has no option for a base image: in the Dockerfile that `mlflow models generate-dockerfile` writes,
  `FROM` is replaced before `docker build`. All else is as `mlflow models build-docker --env-manager local` makes it,
  nginx included. The model is saved without a signature, which would be checked at every request, and with a file of
  code beside it, which is what its code edit changes.
- **BentoML** {bentoml} builds with `DOCKER_BUILDKIT=0`, as all do here; its own default is BuildKit with a cache of
  packages that survives builds. Its service asks for two workers; its default is one. Each of its builds is a new
  version, so nothing is ever "no change".
- **mldeploy** builds with `--builder=classic --no-check`, since no other tool starts and examines what it has built.
- **The tutorials'** app is served by Flask's own server, but without `debug=True`.
"""


@dataclass(frozen=True)
class Target:
    """What a figure should be at most, or at least. `reached` finds the figure: a median is compared."""

    what: str
    reached: Spread | None
    limit: float
    unit: str = ""
    at_least: bool = False
    whole: bool = False

    def row(self) -> tuple[str, ...]:
        """A line of the targets' table."""
        sign = "≥" if self.at_least else "≤"
        limit = f"{sign} {self.limit:,.0f}" if self.whole else f"{sign} {self.limit:g}"
        expected = f"{limit} {self.unit}".rstrip()
        if self.reached is None:
            return self.what, expected, "not measured", NONE
        median = self.reached.median
        met = median >= self.limit if self.at_least else median <= self.limit
        messages = f"{median:,.0f}" if self.whole else spread(self.reached)
        return self.what, expected, messages, "met" if met else "**missed**"


def page(parts: Mapping[str, Measured | None], versions: Mapping[str, str]) -> str:
    """The whole of docs/benchmarks.md from what was measured of each part."""
    sections = (
        ("Command line", "cli", _command_line),
        ("Image, beside the tutorials'", "image", _image),
        ("Serving", "serving", _serving),
        ("A deployment in rehearsal", "deploy", _deployments),
        ("Image, beside MLflow's and BentoML's", "peers", _peers),
    )
    text = "\n".join(_section(title, name, parts.get(name), body) for title, name, body in sections)
    return HEAD + text + WHY + CHANGED.format(mlflow=versions["mlflow"], bentoml=versions["bentoml"])


def _section(title: str, part: str, measured: Measured | None, body: Callable[[Figures], str]) -> str:
    if measured is None:
        return f"## {title}\n\nNot measured yet: `python -m bench {part}`.\n"
    when = f"`python -m bench {part}` on {measured.day}, {measured.minutes:g} minutes ({measured.machine})."
    drawn = "".join(f"![The medians as bars](media/{name}.svg)\n\n" for name, (of, _) in PLOTS.items() if of == part)
    return f"## {title}\n\n{when}\n\n{drawn}{body(measured.figures)}"


def _command_line(figures: Figures) -> str:
    rows = [
        ("`--help`, s", _cell(figures, commands.HELP, OURS)),
        ("a hello-world Typer program's `--help`, s", _cell(figures, commands.HELP, commands.HELLO)),
    ]
    for what in (commands.BUILD, commands.DEPLOY, commands.EDITED, commands.GAP):
        rows.append((f"{what}, s", _cell(figures, what, OURS)))
    targets = (
        Target("`--help` ÷ hello-world Typer", figures.ratio(commands.HELP, OURS, commands.HELLO), 1.2),
        Target("`build` with nothing to do", figures.spread(commands.BUILD, OURS), 0.25, "s"),
        Target("`deploy` with nothing to do", figures.spread(commands.DEPLOY, OURS), 2, "s"),
    )
    return table(("", "mldeploy"), rows) + _targets(targets)


def _image(figures: Figures) -> str:
    targets = (
        Target("size ÷ the tutorials'", figures.ratio(building.SIZE, OURS, TUTORIALS), 0.8),
        Target("cold build ÷ the tutorials'", figures.ratio(building.COLD, OURS, TUTORIALS), 1.0),
        Target("build, no change", figures.spread(building.UNCHANGED, OURS), 0.25, "s"),
        Target("build after a code edit", figures.spread(building.CODE, OURS), 0.5, "s"),
        Target("a push after a code edit", figures.spread(building.PUSHED_CODE, OURS), 10_000, "bytes", whole=True),
    )
    return _builds(figures, (OURS, TUTORIALS)) + _targets(targets)


def _peers(figures: Figures) -> str:
    return _builds(figures, (OURS, MLFLOW, BENTOML))


def _builds(figures: Figures, names: Sequence[str]) -> str:
    sizes = (building.SIZE, building.OVER_BASE, building.COMPRESSED)
    rows = [(f"{what}, MB", *(_cell(figures, what, name, _mb) for name in names)) for what in sizes]
    for what in (building.COLD, building.UNCHANGED, building.CODE, building.MODEL):
        shown = what if what == building.COLD else f"build, {what}"
        rows.append((f"{shown}, s", *(_cell(figures, what, name) for name in names)))
    for what in (building.PUSHED_UNCHANGED, building.PUSHED_CODE, building.PUSHED_MODEL):
        rows.append((f"{what}, bytes", *(_cell(figures, what, name, _whole) for name in names)))
    note = "A push's bytes are those of the layers that the registry did not have yet, compressed, as it stored them.\n"
    return table(("", *names), rows) + f"\n{note}"


def _serving(figures: Figures) -> str:
    names = (OURS, TUTORIALS, MLFLOW, BENTOML)
    rows = []
    for what, form in (
        (serving.ONE_ROW, _whole),
        (serving.MANY_ROWS, _whole),
        (serving.ONE_ROW_P99, _whole),
        (serving.MANY_ROWS_P99, _whole),
        (serving.ONE_ROW_CPU, spread),
        (serving.MANY_ROWS_CPU, spread),
        (serving.BAD, _whole),
        (serving.START, spread),
        (serving.PSS, _whole),
    ):
        rows.append((what, *(_cell(figures, what, name, form) for name in names)))
    alone = [
        (name, *(_cell(figures, what, name, _whole) for what in (serving.ONE_ROW, serving.MANY_ROWS)))
        for name in (serving.CEILING, serving.WITH_FRAME)
    ]
    return "\n".join(
        (
            f"wrk, {serving.SECONDS} s, 16 connections that stay open, on the cores that serve.\n",
            table(("", *names), rows),
            "Without any server, one process a core in mldeploy's image (calls a second):\n",
            table(("", "1 row", "1,000 rows"), alone),
            "Serving adds reading and writing JSON, making the DataFrame, Flask and gunicorn to that; and wrk takes",
            "its share of the same cores.\n" + _targets(_serving_targets(figures)),
        )
    )


def _serving_targets(figures: Figures) -> tuple[Target, ...]:
    one, many = serving.ONE_ROW, serving.MANY_ROWS
    return (
        Target("requests/s ÷ MLflow's, 1 row", figures.ratio(one, OURS, MLFLOW), 1.5, at_least=True),
        Target("requests/s ÷ MLflow's, 1,000 rows", figures.ratio(many, OURS, MLFLOW), 1.7, at_least=True),
        Target("requests/s ÷ `pipeline.predict` alone, 1 row", _share(figures, one), 0.8, at_least=True),
        Target("requests/s ÷ `pipeline.predict` alone, 1,000 rows", _share(figures, many), 0.8, at_least=True),
        Target("cold start ÷ the tutorials'", figures.ratio(serving.START, OURS, TUTORIALS), 0.75),
        Target("idle PSS ÷ MLflow's", figures.ratio(serving.PSS, OURS, MLFLOW), 0.4),
    )


def _deployments(figures: Figures) -> str:
    names = tuple(deploying.SIMULATORS)
    whats = (deploying.WALL, deploying.CHAIN, deploying.AGAIN)
    rows = [(f"{what}, s", *(_cell(figures, what, name) for name in names)) for what in whats]
    rows.append((deploying.WRITES, *(_cell(figures, deploying.WRITES, name, _whole) for name in names)))
    targets = []
    for name in names:
        wall, chain = figures.spread(deploying.WALL, name), figures.spread(deploying.CHAIN, name)
        ratio = Pair(wall, chain).ratio if wall and chain else None
        targets.append(Target(f"{name}: `deploy` ÷ the longest chain of its steps", ratio, 1.05))
        targets.append(Target(f"{name}: `deploy` with nothing to do", figures.spread(deploying.AGAIN, name), 2, "s"))
    return table(("", *names), rows) + _targets(targets)


def _share(figures: Figures, what: str) -> Spread | None:
    return figures.ratio(what, OURS, serving.CEILING)


def _targets(targets: Sequence[Target]) -> str:
    return "\n" + table(("target", "", "measured", ""), [target.row() for target in targets])


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, ending with a line break."""
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, ("---",) * len(head), *rows))


def _cell(figures: Figures, what: str, whose: str, form: Callable[[Spread], str] | None = None) -> str:
    values = figures.spread(what, whose)
    return (form or spread)(values) if values else NONE


def spread(values: Spread) -> str:
    """The median, and in brackets the lowest and the highest if they differ."""
    if values.low == values.high:
        return f"{values.median:.2f}"
    return f"{values.median:.2f} ({values.low:.2f} to {values.high:.2f})"


def _whole(values: Spread) -> str:
    if values.low == values.high:
        return f"{values.median:,.0f}"
    return f"{values.median:,.0f} ({values.low:,.0f} to {values.high:,.0f})"


def _mb(values: Spread) -> str:
    return f"{values.median / MB:.0f}"
