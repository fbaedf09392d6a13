"""How the source loads models: at each request, or from files that do not exist."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterable, Iterator

from mldeploy.project.detect.dependencies.dependency import DependencyList
from mldeploy.project.detect.findings import Remark, Severity
from mldeploy.project.detect.models.model_files import SUFFIXES
from mldeploy.project.detect.routes.declared_routes import Handler, is_route
from mldeploy.project.detect.source.opened_files import missing_remedy
from mldeploy.project.detect.source.python_source import PythonModule, evaluate
from mldeploy.project.detect.tree import Tree

_LOADERS = frozenset({
    "pickle.load", "joblib.load", "cloudpickle.load", "dill.load", "torch.load", "torch.jit.load",
    "onnxruntime.InferenceSession", "safetensors.torch.load_file", "sklearn.externals.joblib.load", "lightgbm.Booster",
    "xgboost.Booster",
    "transformers.pipeline", "spacy.load", "skops.io.load", "_pickle.load", "pandas.read_pickle", "whisper.load_model",
})  # fmt: skip
_LOADER_ENDINGS = (".load_model", ".from_pretrained", ".load_learner")
_CACHES = ("cache", "lru_cache", "cached", "memoize", "cache_resource", "cached_property", "singleton")


def find_loads_per_request(module: PythonModule) -> Iterator[Remark]:
    """Yield calls that load a model in a handler, or in a function of the same module that it calls, unless cached."""
    functions = {node.name: node for node in module.nodes if isinstance(node, Handler)}
    for handler in functions.values():
        if not _handles(handler, module):
            continue
        for call, through in _loads(handler, module, functions):
            by = f"`{handler.name}` through `{through}`" if through != handler.name else f"`{handler.name}`"
            what = f"loads a model at each request, in {by}"
            todo = "Load it once, when the module is imported."
            yield Remark("model-in-handler", Severity.WARNING, module.at(call), what, todo)


def is_loader(call: ast.Call, module: PythonModule) -> bool:
    """Whether a call loads a model from a file."""
    name = module.called(call)
    return name in _LOADERS or name.endswith(_LOADER_ENDINGS) or _is_starred(name, module)


def _is_starred(name: str, module: PythonModule) -> bool:
    """`load_model` after `from pycaret.regression import *`."""
    return name == "load_model" and any(
        isinstance(node, ast.ImportFrom) and node.names[0].name == "*" and (node.module or "").startswith("pycaret")
        for node in module.nodes
    )


def _handles(function: Handler, module: PythonModule) -> bool:
    if any(is_route(decorator, module) for decorator in function.decorator_list):
        return True
    first = function.args.args[0].arg if function.args.args else ""
    return first == "request" and module.file.name.startswith("views")  # Django finds its handlers by URL


def _loads(handler: Handler, module: PythonModule, functions: dict[str, Handler]) -> Iterator[tuple[ast.Call, str]]:
    """The calls that load a model when the handler runs, with the function that they stand in."""
    queue, seen = [handler], {handler.name}
    for function in queue:  # grows while it is walked
        once = _calls_once(function)
        for node in ast.walk(function):
            if not isinstance(node, ast.Call) or id(node) in once:
                continue
            if is_loader(node, module):
                yield node, function.name
            below = functions.get(module.called(node))
            if below and below.name not in seen and not _is_cached(below, module) and not _handles(below, module):
                seen.add(below.name)
                queue.append(below)


def _is_cached(function: Handler, module: PythonModule) -> bool:
    decorators = (each.func if isinstance(each, ast.Call) else each for each in function.decorator_list)
    return any(module.dotted(each).rpartition(".")[2] in _CACHES for each in decorators)


def _calls_once(function: Handler) -> set[int]:
    """The calls below `if model is None:`, `if not model:`, `if name not in …:`: they run at the first request only."""
    calls: set[int] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.If) and _tests_for_missing(node.test):
            calls |= {id(each) for statement in node.body for each in ast.walk(statement)}
    return calls


def _tests_for_missing(test: ast.expr) -> bool:
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=ast.Name() | ast.Attribute() | ast.Call()):
            return True
        case ast.Compare(ops=[ast.Is() | ast.NotIn() | ast.Eq()]):
            return True
        case _:
            return False


_PLACEHOLDERS = frozenset("{}%*")
"""Stand for something else in a name."""
_OWN_FORMATS = frozenset({".json", ".ubj", ".txt", ".cbm", ".bst", ".model"})
"""Of XGBoost, LightGBM and CatBoost."""


def find_missing_models(tree: Tree, module: PythonModule) -> Iterator[Remark]:
    """Yield a warning for each loaded file that does not exist. No error: the code may download it first."""
    if tree.truncated:
        return
    for call in module.calls:
        if not is_loader(call, module):
            continue
        for name in sorted({posixpath.basename(text) for text in _string_arguments(call, module) if "://" not in text}):
            called = module.called(call)
            is_pycaret = called.startswith("pycaret.") or _is_starred(called, module)
            file = f"{name}.pkl" if is_pycaret and not name.endswith(".pkl") else name
            own_formats = called.endswith(("load_model", ".Booster"))
            suffixes = SUFFIXES | _OWN_FORMATS if own_formats else SUFFIXES
            if posixpath.splitext(file)[1].lower() in suffixes and not tree.named(file):
                what = f"loads {file}, which does not exist in the folder"
                yield Remark("model-absent", Severity.WARNING, module.at(call), what, missing_remedy(tree, file))


def find_missing_model_folders(tree: Tree, module: PythonModule) -> Iterator[Remark]:
    """Yield a warning for each model that is a folder, and for each of YOLO's in one, that does not exist.

    A bare name is none: a hub may know it.
    """
    for call in () if tree.truncated else module.calls:
        called = module.called(call)
        path = evaluate(call.args[0], module) if call.args else None
        if not isinstance(path, str) or _PLACEHOLDERS.intersection(path) or "://" in path:
            continue
        name = posixpath.basename(path.rstrip("/"))
        is_file = bool(posixpath.splitext(name)[1])
        is_local = path.startswith(("./", "../"))
        if called.endswith(".from_pretrained") or called == "sentence_transformers.SentenceTransformer":
            is_looked_for = is_local
        elif re.match(r"(?:tensorflow|tf_keras|keras)\..*\bload_model$", called):
            is_looked_for = not is_file
        else:
            is_looked_for = called == "ultralytics.YOLO" and is_file and "/" in path
        found = tree.named(name) if is_file else any(f"/{name}/" in f"/{each.path}" for each in tree.files)
        if is_looked_for and name not in {"", ".", ".."} and not found:
            what = f"loads {path}, which does not exist in the folder"
            yield Remark("model-absent", Severity.WARNING, module.at(call), what, missing_remedy(tree, name))


def find_unlisted_models(
    tree: Tree, modules: Iterable[PythonModule], listed: DependencyList | None
) -> Iterator[Remark]:
    """Yield a warning for each model of spaCy that is a package, and that no dependency provides."""
    names = listed.names if listed else frozenset()
    for module in modules:
        for call in module.calls:
            name = evaluate(call.args[0], module) if module.called(call) == "spacy.load" and call.args else None
            if not isinstance(name, str) or not re.fullmatch(r"[a-z]{2,3}_\w+", name):
                continue
            if name.replace("_", "-") not in names and not any(f"{name}/" in file.path for file in tree.files):
                what = f"loads spaCy's model {name}, which is a package of its own that nothing lists"
                todo = f"Add its wheel to the requirements: `python -m spacy info {name} --url` prints the address."
                yield Remark("spacy-model", Severity.WARNING, module.at(call), what, todo)


def _string_arguments(call: ast.Call, module: PythonModule) -> Iterator[str]:
    """The strings that are handed over in a call, also in one inside of it, and through the module's constants."""
    given = [*call.args, *(each.value for each in call.keywords)]
    names = [node.id for argument in given for node in ast.walk(argument) if isinstance(node, ast.Name)]
    known = [module.constants[name] for name in names if name in module.constants]
    nodes = [node for each in (*given, *known) for node in ast.walk(each)]
    parts = {id(part) for node in nodes for part in _string_parts(node)}
    for node in nodes:
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and (id(node) not in parts or "/" in text) and not _PLACEHOLDERS.intersection(text):
            yield text


def _string_parts(node: ast.AST) -> tuple[ast.expr, ...]:
    """What a text is put together from, of which no piece says the whole name."""
    match node:
        case ast.JoinedStr(values=values):
            return tuple(values)
        case ast.BinOp(left=left, op=ast.Add() | ast.Mod(), right=right):
            return (left, right)
        case _:
            return ()
