"""`mldeploy init MODEL`: the configuration of a model without an app."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.version import Version

from mldeploy.check.model_inspection import InspectedModels, ModelFacts
from mldeploy.cli.errors import UsageError
from mldeploy.cli.model_description import describe_project
from mldeploy.cli.run import CommandRun
from mldeploy.cli.workspace import connect_engine
from mldeploy.config.errors import joined
from mldeploy.config.load import proposed
from mldeploy.config.resolve import FolderDefaults, resolve
from mldeploy.config.settings import Project, ServedColumn
from mldeploy.project.completion import lists_dependencies
from mldeploy.project.detect.tables import DetectedSetting, list_settings
from mldeploy.project.model_scaffold import ModelScaffold, scaffold_model_files
from mldeploy.project.proposal import read_folder, render_dockerignore, render_requirements
from mldeploy.project.scaffold import ScaffoldResult, refuse_existing_files, write_files
from mldeploy.project.served import ModelProposal, find_model_problems, propose_models


@dataclass(frozen=True)
class ConfiguredModel:
    """The result: the project with its models described, what the inspection shows, and the files."""

    project: Project
    inspected: InspectedModels
    files: ScaffoldResult


def configure_models(
    run: CommandRun, paths: Sequence[str], samples: Sequence[str], *, framework: str = "", force: bool
) -> ConfiguredModel:
    """Inspect the models in a container and write the configuration.

    paths, samples: below the project folder. framework: of an app to write instead of [model], "" for none. Raises
    RefusedError for files in the way, before anything is built; ProjectError for a model that cannot be served.
    """
    root = run.folder.resolve()
    refuse_existing_files(root, app=bool(framework), force=force)
    proposal = propose_models(root, paths, samples)
    folder = read_folder(root)
    has_requirements = lists_dependencies(folder)
    settings = _settings(proposal, list_settings(folder))
    text = render_requirements(folder) if has_requirements else proposal.requirements()
    project = resolve(proposed(root, _tables(settings, proposal)), FolderDefaults(None, text, folder.ignored))
    if problems := list(find_model_problems(project)):
        raise joined(problems)
    inspected = describe_project(run, connect_engine(run, project))
    installed = tuple(f"{each.name}=={Version(each.version).public}" for each in inspected.distributions)
    scaffold = ModelScaffold(
        project=inspected.complete(project),
        settings=settings,
        installed=tuple(sorted(installed, key=str.lower)),
        golden=inspected.golden,
        dockerignore=render_dockerignore(folder),
        has_requirements=has_requirements,
        framework=framework,
    )
    return ConfiguredModel(scaffold.project, inspected, write_files(root, scaffold_model_files(scaffold), force=force))


def list_facts(configured: ConfiguredModel) -> Iterator[tuple[str, str, str]]:
    """Yield what the inspection shows: a kind, a value, its source."""
    for facts in configured.inspected.facts:
        served = facts.served
        yield "model", _describe_model(facts), served.path
        if served.runtime_summary:
            yield "runtime", served.runtime_summary, served.path
        yield "task", f"{served.task} of {served.target or 'a value'}", served.sample or served.path
        if served.classes:
            yield "classes", ", ".join(map(str, served.classes[:8])), served.path
        for column in served.columns:
            yield "column", _describe_column(column), served.sample or served.path


def resolve_paths(run: CommandRun, names: Sequence[Path], flag: str) -> tuple[str, ...]:
    """Return paths below the project folder. Names are relative to the current folder, else to the project folder.

    Raises UsageError for a path outside of it.
    """
    root = run.folder.resolve()
    paths = []
    for name in names:
        path = (name if name.exists() else root / name).resolve()
        if not path.is_relative_to(root):
            raise UsageError(flag, f"{name} is not in the project folder {root}", "Copy it there, or use -C.")
        paths.append(path.relative_to(root).as_posix())
    return tuple(paths)


def _settings(proposal: ModelProposal, detected: Sequence[DetectedSetting]) -> tuple[DetectedSetting, ...]:
    """Return the keys beside [model]."""
    own = {(each.table, each.key) for each in proposal.settings}
    kept = {("app", "name"), ("build", "requirements"), ("build", "base_image")} - own
    return (*(each for each in detected if (each.table, each.key) in kept), *proposal.settings)


def _tables(settings: Sequence[DetectedSetting], proposal: ModelProposal) -> dict[str, object]:
    tables: dict[str, dict[str, object]] = {}
    for each in settings:
        tables.setdefault(each.table, {})[each.key] = each.value
    return {**tables, "model": proposal.tables()}


def _describe_model(facts: ModelFacts) -> str:
    library = f"{facts.library} {facts.version}".strip()
    return ", ".join(filter(None, (facts.served.format, library)))


def _describe_column(column: ServedColumn) -> str:
    text = f"{column.name}: {column.type}"
    if column.categories:
        shown = ", ".join(map(str, column.categories[:6]))
        return f"{text}, {shown}{' …' if len(column.categories) > 6 else ''}"
    if column.minimum is not None and column.maximum is not None:
        text += f" from {column.minimum:g} to {column.maximum:g}"
    return text + (", optional" if column.optional else "")
