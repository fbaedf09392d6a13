"""Models that mldeploy serves without an app: which files they are, and what installing them takes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from packaging.version import Version

from mldeploy.project.detect.dependencies import imports
from mldeploy.project.detect.dependencies.dependency import Dependency, DependencyList, Origin, parse_version
from mldeploy.project.detect.dependencies.distributions import (
    DISTRIBUTION_NAMES,
    EQUIVALENT,
    INSTALLS,
    InstalledDistributions,
    debian_packages,
)
from mldeploy.project.detect.documents import load_yaml, table_at, text_at
from mldeploy.project.detect.findings import Remark, Severity, Source
from mldeploy.project.detect.models.formats import TORCH_WEIGHTS, ModelContents
from mldeploy.project.detect.models.model_list import Model, find_models, read_model
from mldeploy.project.detect.models.pickles import PickleContents
from mldeploy.project.detect.python_version import DEFAULT, format_release
from mldeploy.project.detect.source.python_source import SourceTree
from mldeploy.project.detect.tree import Tree
from mldeploy.project.errors import ProjectError

_APP = "Write an app that loads it, and deploy that."
_WHOLE = (
    "Save the whole model: `torch.jit.script(model).save(…)` as .pt, or "
    "`torch.export.save(torch.export.export(model, (example,)), …)` as .pt2."
)
_REFUSED: Final = {
    TORCH_WEIGHTS: ("holds only the weights of a PyTorch model (a state dict); its structure is missing", _WHOLE),
    "safetensors": ("holds only the weights of a model; its structure is missing", _WHOLE),
    "GGUF": ("is a language model for llama.cpp, which mldeploy does not serve", _APP),
    "TensorFlow Lite": (
        "is a model for phones, which mldeploy does not serve",
        "Save the Keras model itself as .keras.",
    ),
    "TensorFlow SavedModel": ("is a TensorFlow SavedModel, which mldeploy does not serve", "Save it as .keras."),
    "ZIP archive": ("is a ZIP archive, not a model", "Name the model file."),
    "unknown": ("is of a format that mldeploy does not know", "docs/models.md lists the formats."),
}
_TEXT_MODELS: Final = (".json", ".txt", ".model")

_NEEDS_SAMPLE: Final = frozenset({"pickle", "skops"})
"""Formats that say at most the names of the columns, not their types."""

_OPENED_FLAVORS: Final = frozenset({"sklearn", "xgboost", "lightgbm", "catboost", "onnx", "keras", "tensorflow"})
"""Of MLflow's flavors, those that the server opens itself."""

_EXTRA: Final[Mapping[str, tuple[str, ...]]] = {
    "scikit-learn": ("joblib", "numpy", "pandas"),
    "skops": ("pandas",),
    "xgboost": ("numpy", "pandas"),
    "lightgbm": ("numpy", "pandas"),
    "catboost": ("numpy", "pandas"),
    "onnxruntime": ("numpy",),
    "keras": ("jax", "numpy"),
    "torch": ("numpy",),
    "transformers": ("safetensors",),
}
"""What a model's library takes beside itself: the columns of a request become a table of pandas, or arrays."""

_OFTEN_USED: Final = """
cloudpickle dill fastai feature-engine gensim hdbscan hmmlearn interpret joblib lifelines mapie mlxtend mord nltk numba
numpy optbinning pandas pmdarima polars prophet pyarrow pygam quantile-forest river scikit-lego scikit-survival scipy
skops skorch skrub sktime tabpfn textblob tpot tqdm
"""
_KNOWN: Final = frozenset(
    {
        *DISTRIBUTION_NAMES.values(),
        *INSTALLS,
        *EQUIVALENT,
        *" ".join(INSTALLS.values()).split(),
        *_OFTEN_USED.split(),
    }
)
"""Distributions of libraries that models are made with."""

OLDEST: Final = (3, 9)
"""The oldest Python that the server runs with."""
_LAST_PYTHON: Final = (((1, 0), (3, 9)), ((1, 1, 3), (3, 10)))
"""Before these versions of scikit-learn, its last Python is older than our default: the wheels of
each release say so."""


@dataclass(frozen=True)
class ServableModel:
    """A model that can be served. needs_sample: its file does not say the types of its columns."""

    model: Model
    pickle: PickleContents | None
    needs_sample: bool


def list_servable(tree: Tree) -> tuple[str, ...]:
    """Return the paths of the models in a folder, sorted: files, or folders of several files."""
    detected, _ = find_models(tree, ())
    paths = {_outermost(tree, each.value.path) for each in detected if each.value.format not in _REFUSED}
    paths |= {_outermost(tree, each.value.path) for each in detected if each.value.format == "safetensors"}
    paths |= {each.path for each in tree.ending(*_TEXT_MODELS) if "/" not in each.path and _is_model(tree, each.path)}
    return tuple(sorted(path for path in paths if _is_model(tree, path))) or tuple(
        sorted(each.value.path for each in detected)
    )


def require_servable(tree: Tree, path: str) -> ServableModel:
    """Return the model at a path. Raises ProjectError if nothing can serve it."""
    where = f"{tree.root}: {path}"
    read = _read(tree, path)
    if read is None:
        what = "is a folder without a model" if (tree.root / path).is_dir() else "there is no such file"
        raise ProjectError(where, what, "Name a model file, or the folder of an MLflow or Hugging Face model.")
    model, contents, remarks = read
    _refuse_remarks(where, remarks)
    if model.format in _REFUSED:
        raise ProjectError(where, *_REFUSED[model.format])
    pickle = contents.pickle if contents else None
    return ServableModel(model, pickle, needs_sample=model.format in _NEEDS_SAMPLE)


def choose_python(tree: Tree, model: Model) -> tuple[int, int]:
    """Return the Python release that has wheels of the libraries that the model was made with.

    An MLflow model names its own.
    """
    file = tree.get(f"{model.path}/MLmodel" if model.path != "." else "MLmodel") if model.format == "MLflow" else None
    named = text_at(load_yaml(tree.text(file)), "flavors", "python_function", "python_version") if file else ""
    if match := re.match(r"(3)\.(\d\d?)(?!\d)", named):
        return max((int(match[1]), int(match[2])), OLDEST)
    made = parse_version(dict(model.versions).get("scikit-learn", ""))
    if made is None:
        return DEFAULT
    return next((python for before, python in _LAST_PYTHON if made.release < before), DEFAULT)


def list_model_requirements(tree: Tree, models: tuple[ServableModel, ...]) -> tuple[str, ...]:
    """Return the lines of a requirements file for the models, sorted.

    Versions are those that the models name. If the environment of the project has just these, it is the one that made
    the models, and its versions apply to the rest.
    """
    mlflow = {
        line for each in models if each.model.format == "MLflow" for line in _mlflow_requirements(tree, each.model)
    }
    versions = {name: version for each in models for name, version in each.model.versions}
    names = {name for each in models for name in _libraries(each)} | set(_own_imports(tree, models))
    environment = _training_environment(tree, versions, names | versions.keys())
    listed = {re.split(r"[=<>!~ ;\[]", line)[0].lower() for line in mlflow}
    lines = {_line(name, versions, environment, models) for name in names if name not in listed}
    return tuple(sorted(lines | mlflow))


def list_system_packages(models: tuple[ServableModel, ...], python: tuple[int, int]) -> tuple[str, ...]:
    """Return the Debian packages that the libraries of the models need."""
    names = (name for each in models for name in _libraries(each))
    listed = DependencyList(Origin.IMPORTS, "", tuple(Dependency(name, "", Source(".")) for name in names))
    packages = debian_packages(listed, format_release(python))
    return packages.value if packages else ()


_Read: TypeAlias = tuple[Model, ModelContents | None, tuple[Remark, ...]] | None
_known: dict[tuple[object, ...], _Read] = {}


def _read(tree: Tree, path: str) -> _Read:
    """Read a model once per command: a large pickle takes a second."""
    try:
        info = (tree.root / path).stat()
    except OSError:
        return read_model(tree, path)
    own = tuple(each.path for each in tree.ending(".py"))  # they tell the folder's modules from libraries
    key = (str(tree.root), path, info.st_ino, info.st_size, info.st_mtime_ns, own)
    if key not in _known:
        _known[key] = read_model(tree, path)
    return _known[key]


def find_unknown_modules(servable: ServableModel) -> tuple[str, ...]:
    """Return the modules that a pickle needs and that are neither in the folder nor of a known library.

    They are not installed by their name: the package index may have a stranger's package of that name.
    """
    libraries = set(servable.model.libraries) if servable.pickle else set()
    environment = InstalledDistributions.activated()
    unknown = (name for name in libraries if name not in _KNOWN and environment.version(name) is None)
    return tuple(sorted(unknown))


def _is_model(tree: Tree, path: str) -> bool:
    read = _read(tree, path)
    return read is not None and read[0].format not in _REFUSED


def _outermost(tree: Tree, path: str) -> str:
    """Return the folder of a file if that is the model, like that of a Hugging Face model."""
    if tree.get(path) is None:
        return path
    folder = path.rpartition("/")[0] or "."
    read = _read(tree, folder)
    return folder if read and read[0].format == "Hugging Face" else path


def _refuse_remarks(where: str, remarks: tuple[Remark, ...]) -> None:
    error = next((each for each in remarks if each.severity is Severity.ERROR), None)
    if error:
        raise ProjectError(where, error.what, error.todo)


def _libraries(each: ServableModel) -> Iterator[str]:
    libraries = set(each.model.libraries)
    if each.model.format == "MLflow":
        libraries = {name for name, _ in each.model.versions} or {"mlflow"}
    if each.model.format == "pickle":
        libraries |= {"numpy", "pandas"}
    if each.model.format == "HDF5":
        libraries = {"keras", "h5py"}
    if each.pickle and any(name.startswith(("xgboost.sklearn", "lightgbm.sklearn")) for name in each.pickle.globals):
        libraries.add("scikit-learn")
    yield from libraries
    for name in libraries:
        yield from _EXTRA.get(name, ())


def _mlflow_requirements(tree: Tree, model: Model) -> Iterator[str]:
    """Yield the lines of an MLflow model's own requirements.txt, without MLflow where it need not load the model."""
    prefix = "" if model.path == "." else f"{model.path}/"
    file, described = tree.get(f"{prefix}requirements.txt"), tree.get(f"{prefix}MLmodel")
    flavors = table_at(load_yaml(tree.text(described)), "flavors") if described else {}
    for line in tree.lines(file) if file else ():
        text = line.partition(" #")[0].strip()
        is_mlflow = re.match(r"mlflow\b", text) is not None
        if text and not text.startswith(("#", "-")) and not (is_mlflow and _OPENED_FLAVORS & flavors.keys()):
            yield text
    yield "pyyaml"


def _own_imports(tree: Tree, models: tuple[ServableModel, ...]) -> Iterator[str]:
    """Yield what the folder's own modules import that a pickle refers to."""
    sources = SourceTree(tree)
    named = {name.partition(" ")[0] for each in models if each.pickle for name in each.pickle.globals}
    paths = [f"{name.replace('.', '/')}{end}" for name in sorted(named) for end in (".py", "/__init__.py")]
    own = [module for path in paths if (module := sources.module(path))]
    found = imports.find_imports(sources, sources.reachable(own))
    listed = imports.list_imports(found, {}, InstalledDistributions.activated(), {})
    yield from (each.name for each in listed.dependencies)


def _training_environment(tree: Tree, made: Mapping[str, str], names: Iterable[str]) -> Mapping[str, Version]:
    """Return the versions of these distributions where the models were made, if the image's Python has them."""
    environment = InstalledDistributions.inside(tree.root, tree.environments) or InstalledDistributions.activated()
    if not any(f"python{format_release(DEFAULT)}/" in path for path in environment.paths):
        return {}
    versions = {name: version for name in names if (version := environment.version(name))}
    known = {name: parsed for name, text in made.items() if (parsed := parse_version(text))}
    return versions if known and all(versions.get(name) == version for name, version in known.items()) else {}


def _line(
    name: str, made: Mapping[str, str], environment: Mapping[str, Version], models: tuple[ServableModel, ...]
) -> str:
    if name in made:
        return f"{name}=={made[name]}"
    if name in environment:
        return f"{name}=={environment[name].public}"
    return f"{name}{_numpy_bound(made, models)}" if name == "numpy" else name


def _numpy_bound(made: Mapping[str, str], models: tuple[ServableModel, ...]) -> str:
    """NumPy 2 renamed a module that arrays in pickles refer to; scikit-learn works with it from 1.4.2."""
    modules = {name.partition(" ")[0] for each in models if each.pickle for name in each.pickle.globals}
    if any(module.startswith("numpy._core") for module in modules):
        return ">=2"
    sklearn = parse_version(made.get("scikit-learn", ""))
    return "<2" if sklearn is not None and sklearn.release < (1, 4, 2) else ""
