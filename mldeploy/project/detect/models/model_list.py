"""Detect the trained models in the folder: path, size, libraries and versions."""

from __future__ import annotations

import ast
import posixpath
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from mldeploy.project.detect.dependencies.distributions import distribution_of
from mldeploy.project.detect.documents import load_json, load_yaml, table_at, text_at
from mldeploy.project.detect.findings import Certainty, Detected, Remark, Severity, Source
from mldeploy.project.detect.models.formats import ModelContents, read_contents
from mldeploy.project.detect.models.model_files import SUFFIXES
from mldeploy.project.detect.models.pickled_modules import ModuleRequirement, list_module_requirements
from mldeploy.project.detect.source.python_source import PythonModule
from mldeploy.project.detect.tree import Tree, TreeFile

MAX_LOOKED_INTO: Final = 40
"""Files that are opened, the largest first; a folder of more is a training archive, and the rest is listed by name."""

_UNSAFE: Final = frozenset({
    "os system", "posix system", "nt system", "subprocess Popen", "subprocess call", "subprocess run", "builtins eval",
    "subprocess check_output", "builtins exec", "__builtin__ eval", "__builtin__ exec", "runpy _run_code", "pty spawn",
    "os popen", "posix popen", "socket socket", "urllib.request urlopen", "builtins __import__", "webbrowser open",
})  # fmt: skip
"""What no library puts into a model."""

_INTERNAL_MODULES: Final = frozenset({"copyreg", "copy_reg", "__builtin__", "_codecs", "__main__", "cupy", "joblib"})


@dataclass(frozen=True)
class Model:
    """One model. path: a file, or the folder of an MLflow or TensorFlow model. size: bytes, of all its files.

    format: as people call it. libraries: the distributions that load it. versions: of those that made it, as far as it
    says so. used: the app's source names the file. modules: what it imports that only some versions have.
    """

    path: str
    size: int
    format: str
    libraries: tuple[str, ...]
    versions: tuple[tuple[str, str], ...]
    used: bool = False
    modules: tuple[ModuleRequirement, ...] = ()


def find_models(tree: Tree, app: Iterable[PythonModule]) -> tuple[tuple[Detected[Model], ...], tuple[Remark, ...]]:
    """Every model, sorted by path; and what is wrong with them. app: the modules that the served app consists of."""
    named = _source_strings(app)
    folders = dict(_folders(tree))
    files = [file for file in tree.files if file.suffix in SUFFIXES and not _inside(file.path, folders)]
    looked_into = {file.path for file in sorted(files, key=lambda file: -file.size)[:MAX_LOOKED_INTO]}
    detected: list[Detected[Model]] = []
    remarks: list[Remark] = []
    for file in files:
        inside = _contents(tree, file) if file.path in looked_into else None
        used = _is_named(file.path, named)
        if _is_data(inside) and not used:
            continue
        detected.append(
            Detected(
                _model(tree, file, inside, used=used),
                Source(file.path),
                Certainty.CERTAIN if inside else Certainty.GUESS,
                "" if inside else "its extension",
            )
        )
        remarks += _remarks(tree, file, inside)
    for folder, model in folders.items():
        whole = replace(_with_size(tree, folder, model), used=_is_named(folder, named))
        detected.append(Detected(whole, Source(folder), Certainty.CERTAIN))
        remarks += _incomplete(tree, folder)
    return tuple(sorted(detected, key=lambda each: each.source)), tuple(remarks)


def read_model(tree: Tree, path: str) -> tuple[Model, ModelContents | None, tuple[Remark, ...]] | None:
    """Read the model at a path, a file of any name or a folder: itself, its content, what is wrong with it.

    None if nothing is there, or a folder that is no model.
    """
    if file := tree.get(path):
        inside = _contents(tree, file)
        return _model(tree, file, inside, used=True), inside, tuple(_remarks(tree, file, inside))
    folder = next((model for name, model in _folders(tree) if (name or ".") == path), None)
    folder = folder or _read_hugging_face(tree, path)
    return (replace(_with_size(tree, "" if path == "." else path, folder), used=True), None, ()) if folder else None


def _read_hugging_face(tree: Tree, path: str) -> Model | None:
    """https://huggingface.co/docs/transformers/main_classes/configuration"""
    prefix = "" if path == "." else f"{path}/"
    config = tree.get(f"{prefix}config.json")
    weights = [f"{prefix}{name}" for name in ("model.safetensors", "pytorch_model.bin", "model.safetensors.index.json")]
    if config is None or not any(map(tree.get, weights)):
        return None
    settings = load_json(tree.text(config))
    if not text_at(settings, "model_type"):
        return None
    version = text_at(settings, "transformers_version")
    return Model(path, 0, "Hugging Face", ("transformers", "torch"), (("transformers", version),) if version else ())


def list_model_files(tree: Tree, model: Model) -> tuple[str, ...]:
    """The paths of a model's files, also where it is a folder; none if it is empty."""
    if not model.size:
        return ()
    below = "" if model.path == "." else f"{model.path}/"
    return (model.path,) if tree.get(model.path) else tuple(e.path for e in tree.files if e.path.startswith(below))


def list_shipped(tree: Tree, detected: Iterable[Detected[Model]], ships: Callable[[str], bool]) -> tuple[str, ...]:
    """The files of the app's models, sorted: of those that stay out of the image only what the source names.

    What training left behind is often kept out of the image on purpose.
    """
    files = ((path, each.value.used) for each in detected for path in list_model_files(tree, each.value))
    return tuple(sorted({path for path, used in files if used or ships(path)}))


def find_excluded(tree: Tree, detected: Iterable[Detected[Model]], ships: Callable[[str], bool]) -> Iterator[Remark]:
    """A remark for each file of a model that does not get into the image."""
    for each in detected:
        for path in list_model_files(tree, each.value):
            if ships(path):
                continue
            what = "is kept out of the image by .dockerignore"
            if each.value.used:
                todo = "Remove the line that excludes it."
                yield Remark("model-ignored", Severity.ERROR, Source(path), what, todo)
            else:
                what += ", and the app's source does not name it"
                yield Remark("model-ignored", Severity.NOTE, Source(path), what)


def _contents(tree: Tree, file: TreeFile) -> ModelContents | None:
    try:
        with tree.open(file) as handle:
            return read_contents(handle, file.suffix)
    except OSError:
        return None


def _model(tree: Tree, file: TreeFile, inside: ModelContents | None, *, used: bool) -> Model:
    if inside is None:
        return Model(file.path, file.size, "unknown", (), (), used)
    libraries, versions = dict.fromkeys(inside.libraries), dict(inside.versions)
    needed: tuple[ModuleRequirement, ...] = ()
    if inside.pickle:
        modules = sorted(inside.pickle.modules - _INTERNAL_MODULES - sys.stdlib_module_names)
        own = {part for each in tree.ending(".py") for part in each.path.removesuffix(".py").split("/")}
        libraries |= dict.fromkeys(distribution_of(module) for module in modules if module not in own)
        if "joblib" in inside.pickle.modules or file.suffix in {".joblib", ".jbl"}:
            libraries["joblib"] = None
        if inside.pickle.sklearn:
            versions["scikit-learn"] = inside.pickle.sklearn[-1]
        needed = list_module_requirements(name.partition(" ")[0] for name in inside.pickle.globals)
    return Model(file.path, file.size, inside.format, tuple(libraries), tuple(versions.items()), used, needed)


def _is_data(inside: ModelContents | None) -> bool:
    """A pickled table or array is no model."""
    if inside is None or inside.pickle is None or inside.format != "pickle":
        return False
    libraries = inside.pickle.modules - _INTERNAL_MODULES - sys.stdlib_module_names
    harmless = _UNSAFE.isdisjoint(inside.pickle.globals) and "__main__" not in inside.pickle.modules
    return inside.pickle.complete and libraries <= {"pandas", "numpy"} and harmless


def _remarks(tree: Tree, file: TreeFile, inside: ModelContents | None) -> Iterator[Remark]:
    source = Source(file.path)
    if file.size == 0:
        yield Remark("model-empty", Severity.ERROR, source, "is empty", "Save the model again.")
    elif inside is None and file.size < 1024:
        yield Remark("model-unreadable", Severity.ERROR, source, *_describe_small(tree, file))
    pickle = inside.pickle if inside else None
    if pickle is None:
        return
    if pickle.fault:
        todo = "Copy the file again, or save the model again."
        yield Remark("model-damaged", Severity.ERROR, source, pickle.fault, todo)
    own = sorted(name.partition(" ")[2] for name in pickle.globals if name.startswith("__main__ "))
    if own:
        what = f"refers to `{own[0]}` of the script that saved it, which a server cannot find"
        todo = f"Move `{own[0]}` into a module of its own, import it from there, and save the model again."
        yield Remark("model-of-main", Severity.ERROR, source, what, todo)
    if unsafe := sorted(_UNSAFE & set(pickle.globals)):
        what = f"calls `{unsafe[0].replace(' ', '.')}` when it is loaded, as no library's model does"
        yield Remark("model-unsafe", Severity.ERROR, source, what, "Do not load it. Train the model again yourself.")


def _describe_small(tree: Tree, file: TreeFile) -> tuple[str, str]:
    """What a small file is that is no model, and what to do."""
    try:
        with tree.open(file) as handle:
            head = handle.read(64).lstrip()
    except OSError:
        return "cannot be read", "Check its permissions."
    if head.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer, not the model", "Fetch the file itself: `git lfs pull`."
    if head.startswith(b"<"):
        return "is a web page, not a model", "Download the file itself."
    return "is no model: it may be what a failed download left", "Copy or download the file again."


def _folders(tree: Tree) -> Iterator[tuple[str, Model]]:
    """MLflow's and TensorFlow's models are folders."""
    for file in tree.named("MLmodel")[:MAX_LOOKED_INTO]:
        yield file.folder, _mlflow(tree, file)
    for file in tree.named("saved_model.pb")[:MAX_LOOKED_INTO]:
        yield file.folder, Model(file.folder, 0, "TensorFlow SavedModel", ("tensorflow",), ())


def _mlflow(tree: Tree, file: TreeFile) -> Model:
    """https://mlflow.org/docs/latest/models.html#storage-format"""
    flavors = table_at(load_yaml(tree.text(file)), "flavors")
    versions = {}
    for flavor, entries in flavors.items():
        for key, name in (("sklearn_version", "scikit-learn"), ("xgb_version", "xgboost"), ("lgb_version", "lightgbm"),
                          ("pytorch_version", "torch"), ("catboost_version", "catboost")):  # fmt: skip
            if version := text_at(entries, key):
                versions[name] = version
        if flavor == "pmdarima":
            versions.setdefault("pmdarima", text_at(entries, "pmdarima_version"))
    return Model(file.folder, 0, "MLflow", ("mlflow", *versions), tuple(versions.items()))


_MLFLOW_FILES: Final = ("pickled_model", "model_path", "model_file", "data", "lgb_model", "xgb_model", "model_data")


def _incomplete(tree: Tree, folder: str) -> Iterator[Remark]:
    """The files that an MLmodel names, and its folder lacks."""
    file = tree.get(posixpath.join(folder, "MLmodel"))
    flavors = table_at(load_yaml(tree.text(file)), "flavors") if file else {}
    names = {text_at(entries, key) for entries in flavors.values() for key in _MLFLOW_FILES}
    for name in sorted(filter(None, names)):
        path = posixpath.join(folder, name)
        if not tree.get(path) and not any(each.path.startswith(f"{path}/") for each in tree.files):
            what = f"names {name}, which does not exist in {folder or 'the folder'}"
            todo = "Copy the whole folder of the model: `mlflow artifacts download`, `dvc pull` or `git lfs pull`."
            yield Remark("model-absent", Severity.WARNING, Source(posixpath.join(folder, "MLmodel")), what, todo)


def _with_size(tree: Tree, folder: str, model: Model) -> Model:
    size = sum(file.size for file in tree.files if _inside(file.path, [folder]))
    return Model(folder or ".", size, model.format, model.libraries, model.versions)


def _inside(path: str, folders: Iterable[str]) -> bool:
    return any(not folder or path.startswith(f"{folder}/") for folder in folders)


def _source_strings(app: Iterable[PythonModule]) -> set[str]:
    """The strings in the app's source that could be names of files."""
    return {
        node.value
        for module in app
        for node in module.nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and 2 < len(node.value) < 256
    }


def _is_named(path: str, named: set[str]) -> bool:
    """Whether the source names a file: by its path, its name, or (as PyCaret does) without its extension."""
    name = posixpath.basename(path)
    return bool(
        named & {path, f"./{path}", name, f"./{name}", posixpath.splitext(name)[0], posixpath.splitext(path)[0]}
    )
