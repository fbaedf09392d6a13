"""An app without code: the model of the folder, and the sample of its input."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mldeploy.config.served import model_name
from mldeploy.config.settings import Project, ServedModel
from mldeploy.config.text import listed, size
from mldeploy.project.detect.models.servable import (
    ServableModel,
    choose_python,
    find_unknown_modules,
    list_model_requirements,
    list_servable,
    list_system_packages,
    require_servable,
)
from mldeploy.project.detect.python_version import DEFAULT, format_release
from mldeploy.project.detect.tables import DetectedSetting
from mldeploy.project.detect.tree import Tree, scan_folder
from mldeploy.project.errors import ProjectError
from mldeploy.project.sample import load_sample, read_header

GOLDEN = "golden.json"
BY_MLDEPLOY = "# By mldeploy, for"
"""The beginning of a requirements file that is made from a model."""
MEMORY_FACTOR = 2.5
"""A model in memory, while it is loaded, compared with its file."""
DEFAULT_MEMORY = 1 << 30
RESERVED = 400 << 20
"""Memory of the server and of the libraries."""
_SAMPLE = (
    "Put a CSV file with some rows of its input next to it (the first line names the columns), or name one: "
    "`mldeploy init {} --sample rows.csv`."
)


@dataclass(frozen=True)
class ModelProposal:
    """The models of a folder that has no app, the sample of each, and the settings that follow."""

    tree: Tree
    models: tuple[ServableModel, ...]
    samples: tuple[str | None, ...]
    settings: tuple[DetectedSetting, ...]

    def requirements(self) -> str:
        """Render the requirements file."""
        return render_lines(list_model_requirements(self.tree, self.models), [each.model.path for each in self.models])

    def tables(self) -> list[dict[str, object]]:
        """Return the tables of `[[model]]`, each with a name if there are several."""
        names = unique_names([each.model.path for each in self.models])
        return [
            {"path": each.model.path, **({"sample": sample} if sample else {}), "name": name}
            for each, sample, name in zip(self.models, self.samples, names, strict=True)
        ]

    @property
    def keys(self) -> tuple[DetectedSetting, ...]:
        """The keys of [model], for one model."""
        path = DetectedSetting("model", "path", self.models[0].model.path, "there is no app, and this model")
        sample = self.samples[0]
        return (path, DetectedSetting("model", "sample", sample, "the CSV file with it")) if sample else (path,)


def unique_names(paths: Sequence[str]) -> list[str]:
    """Return a name for each model: of its file, with a number if two are the same."""
    names: list[str] = []
    for path in paths:
        name = model_name(path)
        names.append(name if name not in names else f"{name}-{len(names) + 1}")
    return names


def has_model(root: Path) -> bool:
    """Whether the folder has a file that can be a model."""
    return bool(list_servable(scan_folder(root)))


def propose_models(root: Path, paths: Sequence[str] = (), samples: Sequence[str] = ()) -> ModelProposal:
    """Return the proposal for the models at these paths, or for the one model of the folder. Loads nothing.

    samples: a CSV file per model, or one for all; without any, the one CSV file beside the model. Raises ProjectError.
    """
    tree = scan_folder(root)
    chosen = tuple(paths) or (_only_model(tree),)
    models = tuple(require_servable(tree, path) for path in chosen)
    each_sample = tuple(
        _choose_sample(tree, model, samples[min(number, len(samples) - 1)] if samples else "")
        for number, model in enumerate(models)
    )
    return ModelProposal(tree, models, each_sample, tuple(_settings(tree, models)))


def find_model_problems(project: Project) -> Iterator[ProjectError]:
    """Yield why the models of `[model]` cannot be served, as far as their files show."""
    tree = scan_folder(project.app.folder)
    for served in project.served:
        try:
            servable = require_servable(tree, served.path)
            if served.sample:
                load_sample(project.app.folder, served.sample)
            elif servable.needs_sample and not served.is_described:
                what = "needs a sample of its input: neither `sample` nor the types of all `columns` are set"
                yield ProjectError(_where(served), what, _SAMPLE.format(served.path))
        except ProjectError as error:
            yield error
            continue
        yield from _find_unknown_modules(project, servable)
        if servable.model.size > project.app.memory:
            what = f"{served.path} has {size(servable.model.size)}, and the app may use {size(project.app.memory)}"
            todo = f'Set memory = "{_memory((servable,))}" in [app], or use a smaller model.'
            yield ProjectError("app.memory", what, todo)


def _find_unknown_modules(project: Project, servable: ServableModel) -> Iterator[ProjectError]:
    """Yield the modules that a model needs, if nothing says where they come from."""
    text = project.build.requirements_text
    for module in find_unknown_modules(servable) if text is not None and text.startswith(BY_MLDEPLOY) else ():
        what = f"needs the module {module.replace('-', '_')}, which is not in the folder and of no known library"
        todo = "Put its file into the folder; or, if it is a package, list all packages in requirements.txt."
        yield ProjectError(f"{project.app.folder}: {servable.model.path}", what, todo)


def render_model_requirements(root: Path, served: Sequence[ServedModel]) -> str:
    """Render the requirements file of the models. Raises ProjectError."""
    tree = scan_folder(root)
    models = tuple(require_servable(tree, each.path) for each in served)
    return render_lines(list_model_requirements(tree, models), [each.path for each in served])


def render_lines(requirements: Sequence[str], paths: Sequence[str]) -> str:
    """Render a requirements file from its lines. paths: of the models."""
    return "\n".join([f"{BY_MLDEPLOY} the model {listed(list(paths))}.", *requirements]) + "\n"


def _only_model(tree: Tree) -> str:
    paths = list_servable(tree)
    if not paths:
        raise ProjectError(str(tree.root), "contains no model", "Name the model: `mldeploy init model.joblib`.")
    if len(paths) > 1:
        what = f"contains {len(paths)} models: {', '.join(paths[:8])}{' …' if len(paths) > 8 else ''}"
        raise ProjectError(str(tree.root), what, f"Choose one: `mldeploy init {paths[0]}`. Or name several.")
    return paths[0]


def _choose_sample(tree: Tree, model: ServableModel, named: str) -> str | None:
    """Return the sample of a model, None if it needs none."""
    if named:
        load_sample(tree.root, named)
        return named
    candidates = [each.path for each in tree.ending(".csv") if each.folder in {"", model.model.path.rpartition("/")[0]}]
    tables = {path: columns for path in candidates if (columns := read_header(tree.root, path))}
    if not tables:
        if len(candidates) == 1:
            load_sample(tree.root, candidates[0])
        if model.needs_sample:
            where = f"{tree.root}: {model.model.path}"
            raise ProjectError(where, "there is no sample of its input", _SAMPLE.format(model.model.path))
        return None
    first, *others = tables
    for other in others:
        if tables[other] != tables[first]:
            raise _disagreement(tree, model, (first, other), tables)
    return first


def _disagreement(
    tree: Tree, model: ServableModel, names: tuple[str, str], tables: dict[str, tuple[str, ...]]
) -> ProjectError:
    first, other = names
    only = [
        (name, each) for name, against in (names, names[::-1]) for each in tables[name] if each not in tables[against]
    ]
    how = f'only {only[0][0]} has the column "{only[0][1]}"' if only else "their columns are in another order"
    what = f"{first} and {other} disagree: {how}"
    return ProjectError(str(tree.root), what, f"Choose one: `mldeploy init {model.model.path} --sample {first}`.")


def _settings(tree: Tree, models: tuple[ServableModel, ...]) -> Iterator[DetectedSetting]:
    oldest = min((choose_python(tree, each.model), each.model.path) for each in models)
    python, path = oldest
    if python != DEFAULT:
        image = f"python:{format_release(python)}-slim-bookworm"
        yield DetectedSetting("build", "base_image", image, f"the scikit-learn of {path} needs it")
    memory = _memory(models)
    if memory != "1g":
        yield DetectedSetting("app", "memory", memory, "the size of the model", is_guess=True)
    if packages := list_system_packages(models, python):
        yield DetectedSetting("build", "system_packages", list(packages), "required by the model's library")


def _memory(models: tuple[ServableModel, ...]) -> str:
    """Return the memory for models of this size: "1g" is enough for most."""
    needed = RESERVED + MEMORY_FACTOR * sum(each.model.size for each in models)
    return "1g" if needed <= DEFAULT_MEMORY else f"{-(-int(needed) // DEFAULT_MEMORY)}g"


def _where(served: ServedModel) -> str:
    return f"[model] {served.path}"
