"""The trained models in the folder: where, how large, made by which libraries and versions."""

from __future__ import annotations

import ast
import posixpath
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from mldeploy.project.detect.distributions import of_import
from mldeploy.project.detect.documents import load_yaml, table, text_at
from mldeploy.project.detect.findings import Certainty, Found, Remark, Severity, Source
from mldeploy.project.detect.formats import Contents, contents
from mldeploy.project.detect.model_names import SUFFIXES
from mldeploy.project.detect.source import Module
from mldeploy.project.detect.tree import File, Tree

MAX_LOOKED_INTO: Final = 40
"""Files that are opened, the largest first; a folder of more is a training archive, and the rest is listed by name."""

_UNSAFE: Final = frozenset({
    "os system", "posix system", "nt system", "subprocess Popen", "subprocess call", "subprocess run", "builtins eval",
    "subprocess check_output", "builtins exec", "__builtin__ eval", "__builtin__ exec", "runpy _run_code", "pty spawn",
    "os popen", "posix popen", "socket socket", "urllib.request urlopen", "builtins __import__", "webbrowser open",
})  # fmt: skip
"""What no library puts into a model."""

_PLUMBING: Final = frozenset({"copyreg", "copy_reg", "__builtin__", "_codecs", "__main__", "cupy", "joblib"})


@dataclass(frozen=True)
class Model:
    """One model. path: a file, or the folder of an MLflow or TensorFlow model. size: bytes, of all its files.

    format: as people call it. libraries: the distributions that load it. versions: of those that made it, as far as it
    says so. used: the app's source names the file.
    """

    path: str
    size: int
    format: str
    libraries: tuple[str, ...]
    versions: tuple[tuple[str, str], ...]
    used: bool = False


def models(tree: Tree, app: Iterable[Module]) -> tuple[tuple[Found[Model], ...], tuple[Remark, ...]]:
    """Every model, sorted by path; and what is wrong with them. app: the modules that the served app consists of."""
    named = _named(app)
    folders = dict(_folders(tree))
    files = [file for file in tree.files if file.suffix in SUFFIXES and not _inside(file.path, folders)]
    looked_into = {file.path for file in sorted(files, key=lambda file: -file.size)[:MAX_LOOKED_INTO]}
    found: list[Found[Model]] = []
    remarks: list[Remark] = []
    for file in files:
        inside = _contents(tree, file) if file.path in looked_into else None
        used = _is_named(file.path, named)
        if _is_data(inside) and not used:
            continue
        found.append(
            Found(
                _model(tree, file, inside, used=used),
                Source(file.path),
                Certainty.CERTAIN if inside else Certainty.GUESS,
            )
        )
        remarks += _remarks(file, inside)
    for folder, model in folders.items():
        whole = replace(_with_size(tree, folder, model), used=_is_named(folder, named))
        found.append(Found(whole, Source(folder), Certainty.CERTAIN))
    return tuple(sorted(found, key=lambda each: each.source)), tuple(remarks)


def files_of(tree: Tree, model: Model) -> tuple[str, ...]:
    """The paths of a model's files, also where it is a folder; none if it is empty."""
    if not model.size:
        return ()
    below = "" if model.path == "." else f"{model.path}/"
    return (model.path,) if tree.get(model.path) else tuple(e.path for e in tree.files if e.path.startswith(below))


def shipped(tree: Tree, found: Iterable[Found[Model]], ships: Callable[[str], bool]) -> tuple[str, ...]:
    """The files of the app's models, sorted: of those that stay out of the image only what the source names.

    What training left behind is often kept out of the image on purpose.
    """
    files = ((path, each.value.used) for each in found for path in files_of(tree, each.value))
    return tuple(sorted({path for path, used in files if used or ships(path)}))


def kept_out(tree: Tree, found: Iterable[Found[Model]], ships: Callable[[str], bool]) -> Iterator[Remark]:
    """A remark for each file of a model that does not get into the image."""
    for each in found:
        for path in files_of(tree, each.value):
            if ships(path):
                continue
            what = "is kept out of the image by .dockerignore"
            if each.value.used:
                todo = "Remove the line that excludes it."
                yield Remark("model-ignored", Severity.ERROR, Source(path), what, todo)
            else:
                what += ", and the app's source does not name it"
                yield Remark("model-ignored", Severity.NOTE, Source(path), what)


def _contents(tree: Tree, file: File) -> Contents | None:
    try:
        with tree.open(file) as handle:
            return contents(handle, file.suffix)
    except OSError:
        return None


def _model(tree: Tree, file: File, inside: Contents | None, *, used: bool) -> Model:
    if inside is None:
        return Model(file.path, file.size, "unknown", (), (), used)
    libraries, versions = dict.fromkeys(inside.libraries), dict(inside.versions)
    if inside.pickle:
        modules = sorted(inside.pickle.modules - _PLUMBING - sys.stdlib_module_names)
        own = {part for each in tree.ending(".py") for part in each.path.removesuffix(".py").split("/")}
        libraries |= dict.fromkeys(of_import(module) for module in modules if module not in own)
        if "joblib" in inside.pickle.modules or file.suffix in {".joblib", ".jbl"}:
            libraries["joblib"] = None
        if inside.pickle.sklearn:
            versions["scikit-learn"] = inside.pickle.sklearn[-1]
    return Model(file.path, file.size, inside.format, tuple(libraries), tuple(versions.items()), used)


def _is_data(inside: Contents | None) -> bool:
    """A pickled table or array is no model."""
    if inside is None or inside.pickle is None or inside.format != "pickle":
        return False
    libraries = inside.pickle.modules - _PLUMBING - sys.stdlib_module_names
    harmless = _UNSAFE.isdisjoint(inside.pickle.globals) and "__main__" not in inside.pickle.modules
    return inside.pickle.complete and libraries <= {"pandas", "numpy"} and harmless


def _remarks(file: File, inside: Contents | None) -> Iterator[Remark]:
    source = Source(file.path)
    if file.size == 0:
        yield Remark("model-empty", Severity.ERROR, source, "is empty", "Save the model again.")
    elif inside is None and file.size < 1024:
        what = "is no model: perhaps a pointer that Git LFS left in its place"
        yield Remark("model-unreadable", Severity.ERROR, source, what, "Fetch the file itself: `git lfs pull`.")
    pickle = inside.pickle if inside else None
    if pickle is None:
        return
    own = sorted(name.partition(" ")[2] for name in pickle.globals if name.startswith("__main__ "))
    if own:
        what = f"refers to `{own[0]}` of the script that saved it, which a server cannot find"
        todo = f"Move `{own[0]}` into a module of its own, import it from there, and save the model again."
        yield Remark("model-of-main", Severity.ERROR, source, what, todo)
    if unsafe := sorted(_UNSAFE & set(pickle.globals)):
        what = f"calls `{unsafe[0].replace(' ', '.')}` when it is loaded, as no library's model does"
        yield Remark("model-unsafe", Severity.ERROR, source, what, "Do not load it. Train the model again yourself.")


def _folders(tree: Tree) -> Iterator[tuple[str, Model]]:
    """MLflow's and TensorFlow's models are folders."""
    for file in tree.named("MLmodel")[:MAX_LOOKED_INTO]:
        yield file.folder, _mlflow(tree, file)
    for file in tree.named("saved_model.pb")[:MAX_LOOKED_INTO]:
        yield file.folder, Model(file.folder, 0, "TensorFlow SavedModel", ("tensorflow",), ())


def _mlflow(tree: Tree, file: File) -> Model:
    """https://mlflow.org/docs/latest/models.html#storage-format"""
    flavors = table(load_yaml(tree.text(file)), "flavors")
    versions = {}
    for flavor, entries in flavors.items():
        for key, name in (("sklearn_version", "scikit-learn"), ("xgb_version", "xgboost"), ("lgb_version", "lightgbm"),
                          ("pytorch_version", "torch"), ("catboost_version", "catboost")):  # fmt: skip
            if version := text_at(entries, key):
                versions[name] = version
        if flavor == "pmdarima":
            versions.setdefault("pmdarima", text_at(entries, "pmdarima_version"))
    return Model(file.folder, 0, "MLflow", ("mlflow", *versions), tuple(versions.items()))


def _with_size(tree: Tree, folder: str, model: Model) -> Model:
    size = sum(file.size for file in tree.files if _inside(file.path, [folder]))
    return Model(folder or ".", size, model.format, model.libraries, model.versions)


def _inside(path: str, folders: Iterable[str]) -> bool:
    return any(not folder or path.startswith(f"{folder}/") for folder in folders)


def _named(app: Iterable[Module]) -> set[str]:
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
