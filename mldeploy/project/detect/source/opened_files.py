"""Files that the source opens, compared with the folder and `.dockerignore`, and files that it writes."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from mldeploy.project.detect.findings import Remark, Severity, Source
from mldeploy.project.detect.models.model_files import SUFFIXES
from mldeploy.project.detect.source.path_expressions import ANCHOR, is_path, read_path
from mldeploy.project.detect.source.python_source import (
    PythonModule,
    call_argument,
    evaluate,
    is_main_guard,
    keyword_argument,
)
from mldeploy.project.detect.tree import Tree

_READERS: Final = frozenset({
    "pandas.read_csv", "pandas.read_json", "pandas.read_excel", "pandas.read_parquet", "pandas.read_feather",
    "pandas.read_pickle", "pandas.read_table", "polars.read_csv", "polars.read_parquet", "numpy.load",
    "numpy.loadtxt", "numpy.genfromtxt", "PIL.Image.open",
})  # fmt: skip
_PATH_READERS: Final = frozenset({"read_text", "read_bytes"})
_SQLITE: Final = "sqlite:///"
_MAX_NAME: Final = 256


@dataclass(frozen=True)
class OpenedFile:
    """A file that the source opens. path: as the source names it. writes: it creates or changes the file."""

    path: str
    source: Source
    writes: bool


def list_opened(module: PythonModule) -> Iterator[OpenedFile]:
    """The files that a module names as a whole, and opens; not those of a script's own block."""
    for call in _served_calls(module):
        name = module.called(call)
        if name in {"open", "io.open", "codecs.open"}:
            yield from _opened(module, call, call_argument(call, 0, "file"), _writes(module, call, 1))
        elif name in _READERS:
            yield from _opened(module, call, call.args[0] if call.args else None, writes=False)
        elif name in {"sqlite3.connect", "aiosqlite.connect"}:
            yield from _opened(module, call, call_argument(call, 0, "database"), writes=True)
        elif name in {"logging.FileHandler", "logging.handlers.RotatingFileHandler"}:
            yield from _opened(module, call, call_argument(call, 0, "filename"), writes=True)
        elif name == "logging.basicConfig":
            yield from _opened(module, call, keyword_argument(call, "filename"), writes=True)
        elif name in {"os.makedirs", "os.mkdir"}:
            yield from _opened(module, call, call.args[0] if call.args else None, writes=True)
        elif name in {"flask.render_template", "render_template"}:
            yield from _template(module, call)
        elif isinstance(call.func, ast.Attribute) and is_path(call.func.value, module):
            yield from _of_path(module, call, call.func)
    yield from _databases(module)


def _served_calls(module: PythonModule) -> Iterator[ast.Call]:
    scripts = {id(each) for node in module.tree.body if is_main_guard(node) for each in ast.walk(node)}
    yield from (call for call in module.calls if id(call) not in scripts)


def _of_path(module: PythonModule, call: ast.Call, method: ast.Attribute) -> Iterator[OpenedFile]:
    """`Path("x.json").read_text()`, `(BASE / "x.json").open()`."""
    path = method.value
    if method.attr in _PATH_READERS:
        yield from _opened(module, call, path, writes=False)
    elif method.attr == "open":
        yield from _opened(module, call, path, _writes(module, call, 0))
    elif method.attr in {"mkdir", "touch", "write_text", "write_bytes"}:
        yield from _opened(module, call, path, writes=True)


def _writes(module: PythonModule, call: ast.Call, position: int) -> bool:
    mode = evaluate(call_argument(call, position, "mode"), module)
    return isinstance(mode, str) and bool({"w", "a", "x", "+"} & set(mode))


def _template(module: PythonModule, call: ast.Call) -> Iterator[OpenedFile]:
    name = evaluate(call.args[0], module) if call.args else None
    if isinstance(name, str) and _is_relative_name(name):
        yield OpenedFile(f"templates/{name}", module.at(call), writes=False)


def _databases(module: PythonModule) -> Iterator[OpenedFile]:
    """SQLAlchemy's `sqlite:///app.db`; four slashes are an absolute path."""
    for node in module.nodes:
        text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
        path = text.removeprefix(_SQLITE)
        if text.startswith(_SQLITE) and path and not path.startswith(("/", ":")):
            yield OpenedFile(path, module.at(node), writes=True)


def _opened(module: PythonModule, call: ast.Call, node: ast.expr | None, writes: bool) -> Iterator[OpenedFile]:
    path = read_path(node, module)
    if path is not None and _is_relative_name(path):
        yield OpenedFile(path, module.at(call), writes)


def _is_relative_name(text: str) -> bool:
    is_whole = "://" not in text and not {"{", "*", "%", "\n"} & set(text)
    return is_whole and 1 < len(text) < _MAX_NAME and not text.startswith(("/", ":", "~", "file:"))


def find_left_out(
    tree: Tree, modules: Iterable[PythonModule], start_in: str, ships: Callable[[str], bool]
) -> Iterator[Remark]:
    """Yield an error for each file that the source opens, and `.dockerignore` keeps out of the image."""
    for module in modules:
        for each in list_opened(module):
            file = None if each.writes else tree.first(*_paths(each.path, module, start_in))
            if file and file.suffix not in SUFFIXES and not ships(file.path):
                what = f"opens {file.path}, which .dockerignore keeps out of the image"
                todo = f"Remove the line that excludes it, or add `!{file.path}` at the end of .dockerignore."
                yield Remark("data-ignored", Severity.ERROR, each.source, what, todo)


def find_opened_problems(tree: Tree, modules: Iterable[PythonModule], start_in: str) -> Iterator[Remark]:
    """Yield a warning for each file that the source reads and the folder lacks, and for each that it writes."""
    for module in modules:
        for each in list_opened(module):
            if each.writes:
                yield from _written(each)
            elif not tree.truncated and not tree.first(*_paths(each.path, module, start_in)):
                yield from _absent(tree, each)


def _written(each: OpenedFile) -> Iterator[Remark]:
    if posixpath.normpath(each.path).startswith(("../", "tmp/")):
        return
    what = f"writes {each.path.removeprefix(ANCHOR)}, and the container's file system is read-only"
    todo = "Write below /tmp, or set `read_only = false` in [app]; what is written is lost with the container."
    yield Remark("writes-read-only", Severity.WARNING, each.source, what, todo)


def _absent(tree: Tree, each: OpenedFile) -> Iterator[Remark]:
    name = posixpath.basename(each.path)
    suffix = posixpath.splitext(name)[1].lower()
    if not suffix or tree.named(name):
        return
    is_model = suffix in SUFFIXES
    # A model has the name by which its loader's own remark knows it, so that the two are one.
    shown = name if is_model else each.path.removeprefix(ANCHOR)
    what = f"{'loads' if is_model else 'opens'} {shown}, which does not exist in the folder"
    yield Remark(
        "model-absent" if is_model else "data-absent", Severity.WARNING, each.source, what, missing_remedy(tree, name)
    )


def missing_remedy(tree: Tree, name: str) -> str:
    """What to do about a file that is not there: DVC may know it."""
    pointer = tree.named(f"{name}.dvc")
    listed = any(name in tree.text(file) for file in tree.named("dvc.lock", "dvc.yaml"))
    if pointer or listed:
        by = pointer[0].path if pointer else "dvc.lock"
        return f"Fetch it: `dvc pull` ({by} names it)."
    if posixpath.splitext(name)[1].lower() in SUFFIXES:
        return "Train the model to create the file, or correct the name."
    return "Add the file, or correct the name."


def _paths(path: str, module: PythonModule, start_in: str) -> Iterator[str]:
    """Where a relative path may lead: from the start folder, from the module's own, from the project's."""
    if path.startswith(ANCHOR):
        yield path.removeprefix(ANCHOR)
        return
    for folder in dict.fromkeys((start_in, module.file.folder, "")):
        yield posixpath.normpath(posixpath.join(folder, path))
