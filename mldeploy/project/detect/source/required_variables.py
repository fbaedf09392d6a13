"""The environment variables that the app cannot start without."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from mldeploy.project.detect.findings import Remark, Severity, Source
from mldeploy.project.detect.source.python_source import PythonModule, evaluate
from mldeploy.project.detect.tree import Tree

_SETTINGS = frozenset({
    "pydantic_settings.BaseSettings", "pydantic.BaseSettings", "pydantic_settings.main.BaseSettings",
})  # fmt: skip
_CONFIGS = frozenset({"starlette.config.Config", "decouple.Config", "environ.Env", "environs.Env"})
_GETTERS = frozenset({"os.getenv", "os.environ.get"})
_EXAMPLES = (".env.example", ".env.sample", ".env.template", "env.example", ".env.dist")
_NAME = re.compile(r"(?m)^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=")
_OF_PLATFORM = frozenset({
    "PORT", "HOME", "PATH", "USER", "HOSTNAME", "HEALTH", "TMPDIR", "PWD", "DJANGO_SETTINGS_MODULE",
})  # fmt: skip


def find_required_variables(tree: Tree, modules: Iterable[PythonModule]) -> Iterator[Remark]:
    """Yield one remark that names the variables without a default, and those of an example file."""
    required: dict[str, Source] = {}
    for module in modules:
        for name, source in _of_module(module):
            required.setdefault(name, source)
    given = {name for file in tree.named(".env") if "/" not in file.path for name in _NAME.findall(tree.text(file))}
    missing = {name: source for name, source in required.items() if name not in given | _OF_PLATFORM}
    if missing:
        what = f"requires environment variables: {', '.join(missing)}"
        todo = "Set them in [app.env] of mldeploy.toml, or in the file that `env_file` names."
        yield Remark("variables-required", Severity.WARNING, next(iter(missing.values())), what, todo)
    for file in (each for name in _EXAMPLES if (each := tree.get(name))):
        others = [name for name in _NAME.findall(tree.text(file)) if name not in required.keys() | given | _OF_PLATFORM]
        if others:
            what = f"lists environment variables for the app: {', '.join(others)}"
            yield Remark("variables-listed", Severity.NOTE, Source(file.path), what)


def _of_module(module: PythonModule) -> Iterator[tuple[str, Source]]:
    readers = {name for name, value in module.constants.items() if module.called(value) in _CONFIGS}
    writes = _assigned(module)
    yield from _insisted(module)
    for node in module.nodes:
        if isinstance(node, ast.Subscript) and module.dotted(node.value) == "os.environ" and id(node) not in writes:
            yield from _named(module, node.slice, node)
        elif isinstance(node, ast.Call) and _has_no_default(node):
            called = module.called(node)
            head, _, method = called.partition(".")
            if called == "decouple.config" or (head in readers and method in {"", "str", "int", "bool", "url"}):
                yield from _named(module, node.args[0], node)
        elif isinstance(node, ast.ClassDef) and any(module.dotted(base) in _SETTINGS for base in node.bases):
            yield from _fields(module, node)


def _insisted(module: PythonModule) -> Iterator[tuple[str, Source]]:
    """Variables without which the module raises: `key = os.getenv("KEY")`, and then `if not key: raise …`."""
    read = {
        name: value
        for name, value in module.constants.items()
        if isinstance(value, ast.Call) and module.called(value) in _GETTERS and _has_no_default(value)
    }
    for node in module.tree.body:
        if isinstance(node, ast.If) and any(isinstance(each, ast.Raise) or _exits(module, each) for each in node.body):
            names = {each.id for each in _absent(node.test)}
        elif isinstance(node, ast.Assert):
            names = {node.test.id} if isinstance(node.test, ast.Name) else set()
        else:
            continue
        for name in read.keys() & names:
            value = read[name]
            if isinstance(value, ast.Call):
                yield from _named(module, value.args[0], value)


def _absent(test: ast.expr) -> Iterator[ast.Name]:
    """The names that a test finds missing: `not key`, `key is None`, and either of several."""
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=ast.Name() as name):
            yield name
        case ast.Compare(left=ast.Name() as name, ops=[ast.Is() | ast.Eq()], comparators=[ast.Constant(value=other)]):
            yield from [] if other else [name]
        case ast.BoolOp(op=ast.Or(), values=values):
            for each in values:
                yield from _absent(each)


def _exits(module: PythonModule, node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and module.called(node.value) in {"sys.exit", "exit", "quit"}


def _has_no_default(call: ast.Call) -> bool:
    return len(call.args) == 1 and not any(each.arg == "default" for each in call.keywords)


def _named(module: PythonModule, node: ast.expr, at: ast.AST) -> Iterator[tuple[str, Source]]:
    name = evaluate(node, module)
    if isinstance(name, str) and name.isidentifier():
        yield name, module.at(at)


def _assigned(module: PythonModule) -> set[int]:
    """`os.environ["X"] = …` sets a variable."""
    return {id(target) for node in module.nodes if isinstance(node, ast.Assign | ast.Delete) for target in node.targets}


def _fields(module: PythonModule, node: ast.ClassDef) -> Iterator[tuple[str, Source]]:
    """The fields of pydantic's settings that have no default, as variables: in capitals, with the class's prefix."""
    prefix = ""
    for each in node.body:
        for call in ast.walk(each):
            if isinstance(call, ast.Call):
                value = evaluate(next((one.value for one in call.keywords if one.arg == "env_prefix"), None), module)
                prefix = value if isinstance(value, str) else prefix
    for each in node.body:
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name) and _is_required(each.value):
            name = each.target.id
            if not name.startswith(("_", "model_config")):
                yield f"{prefix}{name}".upper(), module.at(each)


def _is_required(value: ast.expr | None) -> bool:
    if value is None:
        return True
    is_field = isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "Field"
    if not (is_field and isinstance(value, ast.Call)):
        return False
    named = {each.arg for each in value.keywords}
    if named & {"default", "default_factory"}:
        return False
    return not value.args or (isinstance(value.args[0], ast.Constant) and value.args[0].value is Ellipsis)
