"""The inspection of models without an app: what they take and answer, learned in a container of their own image.

A pickle runs code when it is loaded. Here it runs with the limits of production: no privileges, a read-only file
system, the memory of the app.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mldeploy.app.container import Container
from mldeploy.app.containers import ContainerStartError
from mldeploy.check.inspection import COMPLETE_SECONDS, LOOK_EVERY, Distribution, describe_end, inspect_image
from mldeploy.check.trial import CheckContainers, hold_check_lock, remove_leftovers
from mldeploy.config.served import predict_path
from mldeploy.config.settings import Project, Scalar, ServedColumn, ServedModel
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.parsing import parse_json
from mldeploy.image.engine import Engine
from mldeploy.image.errors import engine_errors
from mldeploy.image.recipe.served_models import DESCRIPTION_FOLDER, EXAMPLE_ROWS, sample_name, to_schema, with_rows
from mldeploy.image.recipe.serving import APP
from mldeploy.image.types import Image
from mldeploy.project.errors import ProjectError
from mldeploy.project.golden import Json
from mldeploy.project.sample import load_sample
from mldeploy_model.schema import write_models

PROBE = Path(__file__).with_name("model_probe.py")
SECONDS = 300.0
"""How long the inspection of one model may take, at least."""
LOG_LINES = 8
MINIMAL = "minimal"


@dataclass(frozen=True)
class ModelFacts:
    """What the inspection of one model shows. unknown: a sentence for each thing that it does not show."""

    served: ServedModel
    library: str = ""
    version: str = ""
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class InspectedModels:
    """The models of a project, described. distributions: what their image has installed.

    golden: the request of a golden row and the answer of the first model, as the file of `check.golden` has it.
    """

    facts: tuple[ModelFacts, ...]
    distributions: tuple[Distribution, ...] = ()
    golden: Json = None

    @property
    def unknown(self) -> tuple[str, ...]:
        """What the inspection does not show, in a sentence each."""
        return tuple(text for each in self.facts for text in each.unknown)

    def complete(self, project: Project) -> Project:
        """Return the project with its models described."""
        return replace(project, served=tuple(each.served for each in self.facts))


def inspect_models(engine: Engine, project: Project, image: Image, monitor: Monitor) -> InspectedModels:
    """Load each model in a container and return what it shows, under what the configuration sets.

    image: built from the project as it is. Raises ProjectError for a model that does not load, EngineError,
    CancelledError. May be repeated.
    """
    with hold_check_lock(engine, project.app.name, monitor):
        remove_leftovers(engine, project.app.name)
        trial = CheckContainers.of(engine, project.app, image.reference)
        facts = []
        for served in project.served:
            monitor.progress(Progress("", f"loading {served.path} in a container"))
            facts.append(_check_sample(project, _inspect_model(trial, served, monitor)))
            monitor.progress(Progress("", f"comparing the compiled path of {served.path} with its own"))
            facts[-1] = _prove_model(trial, facts[-1], project.app.folder, monitor)
        monitor.progress(Progress("", "sending it a row of the sample"))
        described = [each.served for each in facts]
        golden = _make_golden(trial, described, monitor) if all(each.is_described for each in described) else None
        installed = inspect_image(trial, (), monitor, SECONDS).distributions or ()
    return InspectedModels(tuple(facts), installed, golden)


def _prove_model(trial: CheckContainers, facts: ModelFacts, folder: Path, monitor: Monitor) -> ModelFacts:
    """Record whether the compiled path predicts as the model does. Without that proof, the model's own path serves."""
    served = facts.served
    if not served.is_described:
        return facts
    text = write_models([to_schema(with_rows(folder, served))])
    program = ["python", "-m", "mldeploy_model.prove", "--schema", text, "--folder", APP, "--runtime", served.runtime]
    try:
        proof = _run(trial, program, served, monitor).get(served.name)
        plan = _take_plan(served, proof)
    except ProjectError as error:  # the image check reports a model that does not load
        if served.runtime == MINIMAL:
            raise
        proof = {"equal": False, "rows": 0, "reason": error.what, "summary": f"compiled path not used: {error.what}"}
        plan = ""
    return replace(facts, served=replace(served, proof=json.dumps(proof, sort_keys=True), plan=plan))


def _take_plan(served: ServedModel, proof: object) -> str:
    """Take the plan of a model with the minimal runtime out of its proof. Raises ProjectError if there is none."""
    if served.runtime != MINIMAL:
        return ""
    document = proof if isinstance(proof, dict) else {}
    plan = str(document.pop("plan", ""))
    if not plan:
        what = f'runtime = "{MINIMAL}" is not possible: {document.get("reason")}'
        todo = "Remove `runtime`: then the image has the model's libraries."
        raise ProjectError(f"[model] {served.path}", what, todo)
    return plan


def _inspect_model(trial: CheckContainers, served: ServedModel, monitor: Monitor) -> ModelFacts:
    if served.is_described:
        return ModelFacts(served)
    program = ["python", "-m", "mldeploy_model.describe", f"{APP}/{served.path}"]
    if served.sample:
        program += ["--sample", f"{APP}/{DESCRIPTION_FOLDER}/{sample_name(served)}"]
    document = _run(trial, program, served, monitor)
    try:
        return _read_facts(served, document)
    except (KeyError, TypeError, ValueError) as error:
        raise ProjectError(served.path, f"its description cannot be read: {error!r}", _SET_ALL) from error


def _check_sample(project: Project, facts: ModelFacts) -> ModelFacts:
    """Add what is guessed of the sample. Raises ProjectError if it lacks a column that the model takes."""
    served = facts.served
    if not served.sample:
        return facts
    sample = load_sample(project.app.folder, served.sample)
    missing = [each.name for each in served.columns if sample.find(each.name) is None and not each.optional]
    if missing:
        names = ", ".join(f'"{name}"' for name in missing[:8])
        what = f"has no column {names}, which {served.path} takes"
        raise ProjectError(served.sample, what, f"Add it: its columns are {', '.join(sample.columns[:12])}.")
    guesses = (f"{served.sample}: {sample.guess}",) if sample.guess else ()
    return replace(facts, unknown=(*facts.unknown, *guesses))


_OTHER_BASE = "Choose another base image."
_MORE_MEMORY = "Raise `memory` in [app]."
_OTHER_VERSIONS = "Write the versions that made it into requirements.txt, or save it anew."
_SET_ALL = "Set `task` and the type of each of `columns` in [model]."


def _make_golden(trial: CheckContainers, described: Sequence[ServedModel], monitor: Monitor) -> Json:
    """Return a golden row from a row of the first model's sample."""
    first = described[0]
    if not first.rows:
        return None
    row: dict[str, Json] = dict(first.rows[0])
    text = write_models([to_schema(replace(each, path=f"{APP}/{each.path}")) for each in described])
    path = predict_path(described)
    program = ["python", "-c", PROBE.read_text(encoding="utf-8"), text, path, json.dumps(row)]
    document = _run(trial, program, first, monitor)
    answer = str(document.get("answer", ""))
    if document.get("status") != 200:
        what = f"cannot predict the first row of {first.sample}: {_shorten(answer)}"
        raise ProjectError(first.path, what, "Correct the sample, or the columns in [model].")
    return {"path": path, "request": row, "expect": _without_noise(parse_json(answer))}


def _without_noise(answer: object) -> Json:
    """Keep what is the same in every answer: the prediction itself."""
    if not isinstance(answer, dict):
        return answer  # type: ignore[return-value]  # it was JSON
    return {key: value for key, value in answer.items() if key not in {"id", "request_id", "warnings", "seconds"}}


def _run(trial: CheckContainers, program: list[str], served: ServedModel, monitor: Monitor) -> Mapping[str, object]:
    """Run a program in a container of the image and return the JSON object that it prints last."""
    within = max(SECONDS, served.max_rows / 1000)
    nothing: dict[str, object] = {"Entrypoint": program, "Cmd": [], "Healthcheck": {"Test": ["NONE"]}}
    with trial.container(replace(trial.spec(), init=False), **nothing) as made:
        try:
            ended = _wait_for_end(trial, made, monitor, within)
        except ContainerStartError as error:
            raise ProjectError(served.path, f"cannot be inspected: {error.what}", _OTHER_BASE) from error
        document: Mapping[str, object] | None = None
        for _ in monitor.attempts(every=LOOK_EVERY, within=COMPLETE_SECONDS):
            document = _last_object(_log(trial, made, stdout=True))
            if document is not None or ended.exit_status or ended.running:
                break
        if document is None or "error" in document:
            raise _load_error(served, document, describe_end(trial, ended, within), _log(trial, made, stdout=False))
        return document


def _wait_for_end(trial: CheckContainers, made: str, monitor: Monitor, within: float) -> Container:
    container = trial.containers.start(made)
    for _ in monitor.attempts(every=LOOK_EVERY, within=within):
        container = trial.containers.present(made)
        if not container.running:
            return container
    trial.containers.kill(made)
    return container


def _load_error(
    served: ServedModel, document: Mapping[str, object] | None, fate: str, log: Sequence[str]
) -> ProjectError:
    """Return the error for a model that did not load, with the program's reason or its last line."""
    error = document.get("error") if document else None
    if isinstance(error, Mapping):
        return ProjectError(served.path, str(error.get("what", "")), str(error.get("remedy", "")))
    last = next((line for line in reversed(log) if line.strip()), "")
    reason = f"{fate}: {_shorten(last)}" if last and "memory" not in fate else fate
    todo = _MORE_MEMORY if "memory" in fate else _OTHER_VERSIONS
    return ProjectError(served.path, str(error) if error else reason, todo)


def _log(trial: CheckContainers, container: str, *, stdout: bool) -> list[str]:
    with engine_errors(container[:12]):
        written: bytes = trial.engine.client.logs(container, stdout=stdout, stderr=not stdout)
    return written.decode(errors="replace").splitlines()


def _last_object(lines: Sequence[str]) -> Mapping[str, object] | None:
    for line in reversed(lines):
        try:
            document = parse_json(line)
        except ValueError:
            continue
        if isinstance(document, dict):
            return document
    return None


def _shorten(text: str) -> str:
    return text if len(text) <= 300 else f"{text[:300]}…"


def _read_facts(served: ServedModel, document: Mapping[str, object]) -> ModelFacts:
    """Return the description, under what the configuration sets."""
    columns = tuple(map(_read_column, _objects(document.get("columns"))))
    target = str(document.get("target") or "")
    rows = tuple(_read_row(row, columns) for row in _objects(document.get("sample"))[:EXAMPLE_ROWS])
    described = replace(
        served,
        task=served.task or str(document["task"]),
        target=served.target or target or None,
        columns=_merge_columns(served, columns),
        classes=served.classes or _scalars(document.get("classes")),
        probabilities=bool(document.get("probabilities")) if served.probabilities is None else served.probabilities,
        format=served.format or str(document.get("format") or ""),
        rows=rows,
    )
    unknown = document.get("unknown")
    return ModelFacts(
        described,
        str(document.get("library") or ""),
        str(document.get("library_version") or ""),
        tuple(map(str, unknown)) if isinstance(unknown, list) else (),
    )


def _merge_columns(served: ServedModel, columns: tuple[ServedColumn, ...]) -> tuple[ServedColumn, ...]:
    """Return the model's columns with the keys that the configuration sets. Raises ProjectError for unknown ones."""
    if not columns:
        return served.columns
    names = [each.name for each in columns]
    configured = {each.name: each for each in served.columns}
    for name in configured:
        if name not in names:
            near = difflib.get_close_matches(name, names, 1)
            meant = f'; did you mean "{near[0]}"?' if near else ""
            what = f"the model takes no such column{meant}"
            raise ProjectError(f"model.columns.{name}", what, f"Its columns are {', '.join(names[:20])}.")
    return tuple(_merge_column(each, configured.get(each.name)) for each in columns)


def _merge_column(column: ServedColumn, configured: ServedColumn | None) -> ServedColumn:
    if configured is None:
        return column
    return ServedColumn(
        name=column.name,
        type=configured.type or column.type,
        minimum=column.minimum if configured.minimum is None else configured.minimum,
        maximum=column.maximum if configured.maximum is None else configured.maximum,
        categories=configured.categories or column.categories,
        unit=configured.unit if configured.unit is not None else column.unit,
        optional=column.optional if configured.optional is None else configured.optional,
        example=column.example if configured.example is None else configured.example,
    )


def _read_column(document: Mapping[str, object]) -> ServedColumn:
    optional = document.get("optional")
    return ServedColumn(
        name=str(document["name"]),
        type=str(document["type"]),
        minimum=_number(document.get("minimum")),
        maximum=_number(document.get("maximum")),
        categories=_scalars(document.get("categories")),
        unit=str(document.get("unit") or "") or None,
        optional=bool(optional) if optional is not None else None,
        example=_scalar(document.get("example")),
    )


def _read_row(row: Mapping[str, object], columns: tuple[ServedColumn, ...]) -> tuple[tuple[str, Scalar | None], ...]:
    names = [each.name for each in columns] or list(row)
    return tuple((name, _scalar(row[name])) for name in names if name in row)


def _objects(value: object) -> list[Mapping[str, object]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _scalars(value: object) -> tuple[Scalar, ...]:
    return tuple(scalar for each in value if (scalar := _scalar(each)) is not None) if isinstance(value, list) else ()


def _scalar(value: object) -> Scalar | None:
    return value if isinstance(value, (str, int, float, bool)) else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
