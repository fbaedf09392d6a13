"""Models that are loaded again at each request."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mldeploy.project.detect.findings import Remark, Severity
from mldeploy.project.detect.routes import Handler, is_route
from mldeploy.project.detect.source import Module

_LOADERS = frozenset({
    "pickle.load", "joblib.load", "cloudpickle.load", "dill.load", "torch.load", "torch.jit.load",
    "onnxruntime.InferenceSession", "safetensors.torch.load_file", "sklearn.externals.joblib.load", "lightgbm.Booster",
    "transformers.pipeline", "spacy.load", "skops.io.load", "_pickle.load", "pandas.read_pickle", "whisper.load_model",
})  # fmt: skip
_LOADER_ENDINGS = (".load_model", ".from_pretrained", ".load_learner")
_CACHES = ("cache", "lru_cache", "cached", "memoize", "cache_resource", "cached_property", "singleton")


def of_module(module: Module) -> Iterator[Remark]:
    """A loader's call in a handler, or in a function of the same module that a handler calls. Caches are understood."""
    functions = {node.name: node for node in module.nodes if isinstance(node, Handler)}
    for handler in functions.values():
        if not _handles(handler, module):
            continue
        for call, through in _loads(handler, module, functions):
            by = f"`{handler.name}` through `{through}`" if through != handler.name else f"`{handler.name}`"
            what = f"loads a model at each request, in {by}"
            todo = "Load it once, when the module is imported."
            yield Remark("model-in-handler", Severity.WARNING, module.at(call), what, todo)


def is_loader(call: ast.Call, module: Module) -> bool:
    """Whether a call loads a model from a file."""
    name = module.called(call)
    return name in _LOADERS or name.endswith(_LOADER_ENDINGS)


def _handles(function: Handler, module: Module) -> bool:
    if any(is_route(decorator, module) for decorator in function.decorator_list):
        return True
    first = function.args.args[0].arg if function.args.args else ""
    return first == "request" and module.file.name.startswith("views")  # Django finds its handlers by URL


def _loads(handler: Handler, module: Module, functions: dict[str, Handler]) -> Iterator[tuple[ast.Call, str]]:
    """The calls that load a model when the handler runs, with the function that they stand in."""
    queue, seen = [handler], {handler.name}
    for function in queue:  # grows while it is walked
        once = _only_once(function)
        for node in ast.walk(function):
            if not isinstance(node, ast.Call) or id(node) in once:
                continue
            if is_loader(node, module):
                yield node, function.name
            below = functions.get(module.called(node))
            if below and below.name not in seen and not _is_cached(below, module) and not _handles(below, module):
                seen.add(below.name)
                queue.append(below)


def _is_cached(function: Handler, module: Module) -> bool:
    decorators = (each.func if isinstance(each, ast.Call) else each for each in function.decorator_list)
    return any(module.dotted(each).rpartition(".")[2] in _CACHES for each in decorators)


def _only_once(function: Handler) -> set[int]:
    """The calls below `if model is None:`, `if not model:`, `if name not in …:`: they run at the first request only."""
    found: set[int] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.If) and _asks_whether_missing(node.test):
            found |= {id(each) for statement in node.body for each in ast.walk(statement)}
    return found


def _asks_whether_missing(test: ast.expr) -> bool:
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=ast.Name() | ast.Attribute() | ast.Call()):
            return True
        case ast.Compare(ops=[ast.Is() | ast.NotIn() | ast.Eq()]):
            return True
        case _:
            return False
