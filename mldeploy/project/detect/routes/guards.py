"""Routes that answer only a request which carries a key, a login or a parameter: no probe of health does."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from mldeploy.project.detect.source.python_source import PythonModule, keyword_argument

_DECORATORS = re.compile(
    r"(?:login|auth\w*|jwt|token|api_?key|roles?|permissions?|admin)_required|"
    r"requires?_(?:auth\w*|login|token|api_?key|jwt|roles?|permissions?)|authenticated"
)
_DEPENDENCIES = re.compile(r"auth|api_?key|token|current_user|login|permission|credential", re.IGNORECASE)
_SCHEMES = re.compile(r"APIKey(?:Header|Query|Cookie)|HTTP(?:Bearer|Basic|Digest)|OAuth2\w*|OpenIdConnect")
_SIMPLE = frozenset({"str", "int", "float", "bool", "bytes", "Annotated", "Header", "Query", "Cookie"})
_OF_REQUEST = frozenset({"Header", "Query", "Cookie"})
_DEPTH = 4


def is_guarded(handler: ast.FunctionDef | ast.AsyncFunctionDef, route: ast.Call, module: PythonModule) -> bool:
    """Whether a handler refuses a request that has nothing but its path. route: the decorator."""
    for each in handler.decorator_list:
        name = module.dotted(each.func if isinstance(each, ast.Call) else each).rpartition(".")[2]
        if _DECORATORS.fullmatch(name):
            return True
    if not any(name.partition(".")[0] == "fastapi" for name, _ in module.imports):
        return False
    owner = route.func.value if isinstance(route.func, ast.Attribute) else None
    made = module.constants.get(owner.id) if isinstance(owner, ast.Name) else None
    calls = [route, made] if isinstance(made, ast.Call) else [route]
    listed = [given for call in calls if (given := keyword_argument(call, "dependencies"))]
    if any(_refuses(each, module, _DEPTH) for given in listed for each in ast.walk(given)):
        return True
    return _wants_more(handler, module, _DEPTH)


def _wants_more(handler: ast.FunctionDef | ast.AsyncFunctionDef, module: PythonModule, depth: int) -> bool:
    """Whether a function of FastAPI has a parameter that the request must bring. Standard: FastAPI, "Dependencies"."""
    for argument, default in _parameters(handler):
        marks = [default, *ast.walk(argument.annotation)] if argument.annotation else [default]
        if any(_refuses(each, module, depth) for each in marks):
            return True
        names = {each.id for each in ast.walk(argument.annotation or ast.Pass()) if isinstance(each, ast.Name)}
        if default is None and names and names <= _SIMPLE:
            return True
        kind = module.called(default).rpartition(".")[2]
        if kind in _OF_REQUEST and isinstance(default, ast.Call) and _is_required(default):
            return True
    return False


def _parameters(
    handler: ast.FunctionDef | ast.AsyncFunctionDef,
) -> Iterator[tuple[ast.arg, ast.expr | None]]:
    plain = handler.args.args
    defaults = [*[None] * (len(plain) - len(handler.args.defaults)), *handler.args.defaults]
    yield from zip(plain, defaults, strict=True)
    yield from zip(handler.args.kwonlyargs, handler.args.kw_defaults, strict=True)


def _is_required(call: ast.Call) -> bool:
    first = call.args[0] if call.args else keyword_argument(call, "default")
    return first is None or (isinstance(first, ast.Constant) and first.value is Ellipsis)


def _refuses(node: ast.AST | None, module: PythonModule, depth: int) -> bool:
    """Whether `Depends(…)` or `Security(…)` asks for a key."""
    kind = module.called(node).rpartition(".")[2]
    if not isinstance(node, ast.Call) or kind not in {"Depends", "Security"} or not node.args or not depth:
        return False
    name = node.args[0]
    made = module.constants.get(name.id) if isinstance(name, ast.Name) else name
    if isinstance(made, ast.Call) and _SCHEMES.fullmatch(module.called(made).rpartition(".")[2]):
        lenient = keyword_argument(made, "auto_error")
        return not (isinstance(lenient, ast.Constant) and lenient.value is False)
    for each in module.nodes:
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and each.name == module.dotted(name):
            return _wants_more(each, module, depth - 1)
    return bool(_DEPENDENCIES.search(module.dotted(name).rpartition(".")[2]))
