"""`mldeploy init`."""

# ruff: noqa: PLC0415 - `--help` must not load the detection

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mldeploy.cli import options
from mldeploy.cli.commands.init_report import (
    DetectedDocument,
    InitDocument,
    RemarkDocument,
    make_document,
    print_document,
)
from mldeploy.cli.errors import UsageError
from mldeploy.cli.run import CommandRun

if TYPE_CHECKING:
    from mldeploy.project.detect.folder import DetectedFolder


def init(  # noqa: PLR0913, PLR0917 - one parameter per option
    run: CommandRun,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[DIR|MODEL...]", help="App folder, same as -C DIR, or models to serve.", show_default=False
        ),
    ] = None,
    entry: Annotated[
        str, typer.Option("--entry", metavar="NAME", help="App to serve, if there are several.", show_default=False)
    ] = "",
    sample: Annotated[
        list[Path] | None,
        typer.Option("--sample", metavar="FILE", help="CSV file with rows of the model's input.", show_default=False),
    ] = None,
    from_notebook: Annotated[
        Path | None,
        typer.Option(
            "--from-notebook", metavar="FILE", help="Notebook that saves the model to serve.", show_default=False
        ),
    ] = None,
    write_app: Annotated[
        str,
        typer.Option(
            "--write-app",
            metavar="FRAMEWORK",
            help="Write an app for the model, with flask or fastapi, instead of [model].",
            show_default=False,
        ),
    ] = "",
    dockerfile: Annotated[bool, typer.Option("--dockerfile", help="Also write a Dockerfile.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite existing files.")] = False,
    probe: Annotated[
        bool, typer.Option("--probe", help="Build the image, and take the routes from the app itself.")
    ] = False,
    environments: Annotated[
        bool,
        typer.Option("--environments", help="Also write the environments preview, staging and production."),
    ] = False,
) -> None:
    """Detect the app in the folder and write `mldeploy.toml` and `.dockerignore`.

    Reports what it detects and what looks wrong. The source is read, never executed. A value that no file says, such
    as the usual port of a framework, is marked with "guess:" and its reason in `mldeploy.toml`. If a lock or another
    file lists the dependencies, every build reads that file. If there is none, writes `requirements.txt` from the
    imports.

    `--dockerfile` also writes a `Dockerfile` for the same image. You can then edit it, and build it with
    `docker build .`.

    For a model without an app, name the model: mldeploy has the server for it. The model is loaded in a container with
    the versions that made it, never on this machine; its columns, a golden row and pinned requirements are written.
    `--from-notebook` takes the model that a notebook saves, and the CSV file that it reads as the sample.

    Existing files are not changed without `--force`.

    `--probe` builds the image and imports the app in a container: health and predict are then the app's own routes, and
    no guesses. An app that starts its own server is started there, and asked for its health path and its port.

    Examples:
        mldeploy init
        mldeploy init --probe
        mldeploy init --environments
        mldeploy init model.joblib --sample rows.csv
        mldeploy init example_app --entry app:app
    """
    from dataclasses import replace

    from mldeploy.project import scaffold

    if run.clone:
        what = "files in the temporary clone would be lost"
        raise UsageError("mldeploy init", what, "Clone the repository with `git clone` and run this command there.")
    models, directory = _split_paths(paths or [])
    if directory is not None:
        if run.given is not None and Path(run.given) != directory:
            raise UsageError("mldeploy init", f"two folders were given: {run.given} and {directory}", "Give one.")
        run = replace(run, given=str(directory))
    scaffold.refuse_if_configured(run.folder)
    if from_notebook is not None:
        models, sample = _find_in_notebook(run, from_notebook, models, sample or [])
    if models or sample or write_app or (not entry and _is_bare_model(run)):
        if dockerfile:
            what = "cannot be written for a model without an app: its server is part of mldeploy"
            raise UsageError("--dockerfile", what, "Leave it out.")
        if environments:
            raise UsageError("--environments", "is for a folder with an app", "Add [env.staging] to mldeploy.toml.")
        _init_models(run, models, sample or [], write_app, force=force)
        return
    folder = _detect(run, entry, recipe=dockerfile)
    if probe:
        scaffold.refuse_existing_files(folder.root, app=False, force=force)
        folder = _probe_routes(run, folder)
    rendered = _render_dockerfile(folder) if dockerfile else None
    files = scaffold.scaffold_files(folder, rendered, "" if dockerfile else _ask_access(run, folder))
    if environments:
        files = scaffold.with_environments(files)
    written = scaffold.write_files(folder.root, files, force=force)
    document = make_document(folder, written)
    command, terse = run.commands(options.DEFAULT_TARGET), run.output.mode.quiet
    run.output.result(document, lambda page: print_document(document, page, command, terse=terse))


def _split_paths(paths: list[Path]) -> tuple[list[Path], Path | None]:
    """Return the models and the app folder of the arguments. Raises UsageError if both are given."""
    folders = [each for each in paths if each.is_dir() and not _is_model_folder(each)]
    models = [each for each in paths if each not in folders]
    if len(folders) > 1 or (folders and models):
        raise UsageError("mldeploy init", "a folder can only be named alone", "Name one folder, or models in one.")
    if len(models) == 1 and not models[0].suffix and not models[0].exists():
        return [], models[0]
    return models, folders[0] if folders else None


def _find_in_notebook(
    run: CommandRun, notebook: Path, models: list[Path], samples: list[Path]
) -> tuple[list[Path], list[Path]]:
    """Return the model that a notebook saves, and a sample. Raises ProjectError if the model is not there."""
    from mldeploy.cli.commands.init_model import resolve_paths
    from mldeploy.project.detect.models.notebook import read_notebook
    from mldeploy.project.errors import ProjectError

    if models:
        raise UsageError("--from-notebook", "names the model already", "Leave the model out.")
    root = run.folder.resolve()
    (name,) = resolve_paths(run, [notebook], "--from-notebook")
    saved = read_notebook(root, name)
    columns = f", trained on {', '.join(saved.columns[:8])}" if saved.columns else ""
    run.output.info(f"{name}: cell {saved.cell} saves {saved.path}{columns}.")
    if not (root / saved.path).exists():
        what = f"cell {saved.cell} saves {saved.path}, and there is no such file"
        raise ProjectError(f"{root}: {name}", what, "Run the notebook to its end.")
    read = [root / each for each in saved.sources if (root / each).is_file()]
    return [root / saved.path], samples or read[-1:]


def _is_model_folder(folder: Path) -> bool:
    return (folder / "MLmodel").is_file() or ((folder / "config.json").is_file() and any(folder.glob("*.safetensors*")))


def _is_bare_model(run: CommandRun) -> bool:
    """Whether the folder has a model and no app."""
    from mldeploy.project.proposal import read_folder
    from mldeploy.project.served import has_model

    folder = read_folder(run.folder)
    return any(each.code == "no-entry" for each in folder.remarks) and not folder.dockerfile and has_model(run.folder)


def _init_models(run: CommandRun, models: list[Path], samples: list[Path], framework: str, *, force: bool) -> None:
    """Write the configuration of models without an app, or an app for one."""
    from mldeploy.cli.commands.init_model import configure_models, list_facts, resolve_paths
    from mldeploy.project.model_app import FRAMEWORKS

    if framework and framework not in FRAMEWORKS:
        raise UsageError("--write-app", f"{framework!r} is no framework that it knows", "Use flask or fastapi.")
    if framework and len(models) > 1:
        raise UsageError("--write-app", "writes an app for one model", "Name one model.")
    names, tables = resolve_paths(run, models, "MODEL"), resolve_paths(run, samples, "--sample")
    configured = configure_models(run, names, tables, framework=framework, force=force)
    document = InitDocument(
        folder=str(configured.project.app.folder),
        found=tuple(
            DetectedDocument(kind=kind, value=value, source=source, certainty="certain")
            for kind, value, source in list_facts(configured)
        ),
        remarks=tuple(
            RemarkDocument(code="model-unknown", severity="warning", source="mldeploy.toml", what=text, todo="")
            for text in configured.inspected.unknown
        ),
        written=configured.files.written,
        kept=configured.files.kept,
    )
    command, terse = run.commands(options.DEFAULT_TARGET), run.output.mode.quiet
    run.output.result(document, lambda page: print_document(document, page, command, terse=terse))


def _detect(run: CommandRun, entry: str, *, recipe: bool) -> DetectedFolder:
    """Inspect the folder as it will be with its `.dockerignore`. Raises ProjectError if there is no app to serve."""
    from mldeploy.project.proposal import find_ambiguity, find_refusal, read_folder

    folder = read_folder(run.folder, entry, recipe=recipe)
    if find_ambiguity(folder):
        folder = read_folder(run.folder, _choose_entry(run, folder), recipe=recipe)
    if problem := find_refusal(folder):
        raise problem
    return folder


def _probe_routes(run: CommandRun, folder: DetectedFolder) -> DetectedFolder:
    """Build the image that the folder's configuration would describe, and take the routes from the app itself.

    Raises EngineError, or what a build raises.
    """
    from dataclasses import replace

    from mldeploy.check.route_step import starts_itself
    from mldeploy.check.served_routes import apply_corrections, find_corrections
    from mldeploy.cli.app_routes import ASKED, GUESSED, list_routes, start_of
    from mldeploy.cli.workspace import open_build_workspace
    from mldeploy.image.steps import BuiltImage
    from mldeploy.project.detect.findings import Certainty, Detected, Source
    from mldeploy.project.proposal import propose_project

    workspace, proposed = open_build_workspace(run), propose_project(folder)
    if start_of(workspace.project) != start_of(proposed):
        return folder
    with workspace.locked(run) as work:
        routes = list_routes(BuiltImage.of(workspace.project), work).out
    if routes.problem:
        run.output.warn(f"The app did not answer, so its values are those of the source: {routes.problem}.")
    guessed = ASKED | {"predict"} if starts_itself(proposed) else GUESSED
    corrections = tuple(find_corrections(proposed.app, routes, guessed))
    for each in corrections:
        run.output.info(f"{each}.")
    app = apply_corrections(proposed, corrections).app
    own = Source("the app's own routes")
    if routes.health:
        asked = Source("the app answers there")
        folder = replace(folder, health=Detected(app.health, asked, Certainty.CERTAIN))
        folder = replace(folder, port=Detected(app.port, Source("the app listens there"), Certainty.CERTAIN))
    elif folder.health and routes.has("GET", app.health):
        folder = replace(folder, health=Detected(app.health, own, Certainty.CERTAIN))
    if routes.has("POST", app.predict) or (folder.predict and routes.has("GET", app.predict)):
        folder = replace(folder, predict=Detected(app.predict, own, Certainty.CERTAIN))
    return folder


def _render_dockerfile(folder: DetectedFolder) -> str:
    from dataclasses import replace

    from mldeploy.image.recipe.dockerfile_export import export_dockerfile
    from mldeploy.project.errors import ProjectError
    from mldeploy.project.ignore import Ignore, ImageFilter, load_dockerignore
    from mldeploy.project.proposal import propose_project
    from mldeploy.project.scaffold import REQUIREMENTS

    listed = folder.dependencies
    if listed and listed.is_computed:
        what = f"computes its dependencies, and a build without mldeploy needs them in {REQUIREMENTS}"
        todo = f"Run `uv pip compile {listed.path} -o {REQUIREMENTS}` first."
        raise ProjectError(f"{folder.root}: {listed.path}", what, todo)
    ignore = load_dockerignore(folder.root) or Ignore.of(folder.ignored)
    project = propose_project(folder)
    if project.build.requirements_text is not None:  # a build without mldeploy needs the file that `init` writes
        project = replace(project, build=replace(project.build, requirements=REQUIREMENTS))
    return export_dockerfile(project, ImageFilter(ignore))


def _ask_access(run: CommandRun, folder: DetectedFolder) -> str:
    """Ask who may send requests, where a terminal answers and our server can ask for keys; "" for the default."""
    from mldeploy.project.proposal import propose_project

    project = propose_project(folder)
    if not run.output.is_interactive or project.app.command or project.build.dockerfile:
        return ""
    question = "Require an access key for requests? Without one, everybody who can reach the URL may send them."
    return "key" if run.output.confirm(question, default=False) else ""


def _choose_entry(run: CommandRun, folder: DetectedFolder) -> str:
    """Ask which app to serve. Raises UsageError if nobody can answer."""
    names = [str(each.value) for each in folder.entries]
    choices = [f"{each.value} ({each.value.framework}, {each.source})" for each in folder.entries]
    if not run.output.is_interactive:
        what = f"{folder.root} contains several apps: {', '.join(choices)}"
        raise UsageError("mldeploy init", what, "Choose one with --entry NAME.")
    number = run.output.choose("Which app should be served?", choices)
    if number is None:
        raise UsageError("mldeploy init", "canceled; nothing was written", "")
    return names[number]
