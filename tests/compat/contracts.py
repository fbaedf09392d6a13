"""The lists of names that users, their scripts and other people's packages depend on, read from where they are public.

Commands, options, documents, exit codes and variables come from the manual, which `make lint` holds to the code; keys
from the tables; the providers from the entry points; what a provider of somebody else's builds on from the modules that
it imports.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
import tomllib
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from mldeploy.config.load import TABLES
from mldeploy.config.reference import built_in_targets, example_value, toml
from mldeploy.providers import capabilities

DOCS = Path(__file__).resolve().parents[2] / "docs"
GROUP = "mldeploy.providers"
INTERFACE = ("base",)
"""Modules of `mldeploy.providers`: what a provider implements."""
BASIS = {
    "mldeploy.config.endpoints": ("Endpoints",),
    "mldeploy.config.secret": ("Secret",),
    "mldeploy.config.settings": ("App", "Build", "Check", "Project"),
    "mldeploy.config.target": ("TargetSettings",),
    "mldeploy.core.errors": ("ExitCode", "MldeployError"),
    "mldeploy.core.monitor": ("Monitor",),
    "mldeploy.core.step": ("Key", "Outputs", "Resource", "Seen", "Step"),
    "mldeploy.image.registry.access": ("RegistryAccess",),
    "mldeploy.image.types": ("Image",),
}
"""What the interface's own signatures name."""
_TYPES = {
    **dict.fromkeys(("text", "string", "str"), "text"),
    **dict.fromkeys(("true or false", "boolean", "bool"), "boolean"),
    **dict.fromkeys(("integer", "int"), "integer"),
    **dict.fromkeys(("number", "float"), "number"),
}
"""Words of the manual for one type."""


def commands() -> dict[str, dict[str, Any]]:
    """Each command, its options with their short forms, and the fields of its document."""
    text = (DOCS / "commands.md").read_text(encoding="utf-8")
    found = {"": _command(text.partition("\n### ")[0]), "error": _command(text.rpartition("\n## ")[2])}
    for part in re.split(r"^### ", text, flags=re.MULTILINE)[1:]:
        title = re.match(r"`mldeploy ([\w -]+)`", part)
        assert title is not None, part[:80]
        found[title.group(1)] = _command(part.partition("\n## ")[0])
    return found


def _command(text: str) -> dict[str, Any]:
    rows = re.findall(r"^\| (`-.*?) \| ", text, flags=re.MULTILINE)
    options = {name for row in rows for name in re.findall(r"(?<![\w-])(--?[a-zA-Z][\w-]*)", row)}
    return {"options": sorted(options), "fields": _fields(text)}


def _fields(text: str) -> dict[str, str]:
    """Each field's type, by the names on the way to it: `steps.kind`."""
    found: dict[str, str] = {}
    way: tuple[str, ...] = ()
    for indent, name, kind in re.findall(r"^( *)- `(\w+)` \(([^)]*)\):", text, flags=re.MULTILINE):
        way = (*way[: len(indent) // 2], name)
        found[".".join(way)] = _type(kind)
    return found


def _type(words: str) -> str:
    kind, _, null = words.partition(" or null")
    many, _, one = kind.rpartition("list of ")
    is_list, is_nullable = bool(many) or one != kind, bool(null) or words != kind
    return f"{'list of ' if is_list else ''}{_TYPES.get(one, one)}{' or null' if is_nullable else ''}"


def exit_codes() -> dict[str, int]:
    """Each code's name."""
    text = (DOCS / "exit-codes.md").read_text(encoding="utf-8")
    return {name: int(code) for code, name in re.findall(r"^\| (\d+) \| `(\w+)` \|", text, flags=re.MULTILINE)}


def configuration() -> str:
    """An `mldeploy.toml` with every key: its example, else its default."""
    lines: list[str] = []
    targets = {f"target.{name}": model for name, model in built_in_targets().items()}
    for table, model in {**TABLES, **targets}.items():
        lines += [f"[{table}]", *(f"{key} = {toml(example_value(info))}" for key, info in model.model_fields.items())]
    return "\n".join(lines) + "\n"


def keys(configuration: str) -> list[str]:
    """`table.key` of each key."""
    content = tomllib.loads(configuration)
    tables = {**{name: table for name, table in content.items() if name != "target"}}
    tables |= {f"target.{name}": table for name, table in content.get("target", {}).items()}
    return sorted(f"{name}.{key}" for name, table in tables.items() for key in table)


def variables() -> list[str]:
    """The environment variables of the configuration's keys."""
    text = (DOCS / "configuration.md").read_text(encoding="utf-8")
    return sorted(set(re.findall(r"Variable:\s+`(MLDEPLOY_\w+)`", text)))


def providers() -> dict[str, dict[str, Any]]:
    """By the entry point's name: the kinds in its journals, and the keys of its table."""
    found = {}
    for entry in entry_points(group=GROUP):
        if entry.dist is not None and entry.dist.name == "mldeploy":
            provider = entry.load()
            table = sorted(provider.settings.model_fields)
            found[entry.name] = {"name": provider.name, "kinds": sorted(provider.kinds), "settings": table}
    return found


def interface() -> dict[str, dict[str, Any]]:
    """What a third-party provider builds on, by module: classes with their members, and functions.

    The optional capabilities and the conformance suite are not part of it: they may still be renamed.
    """
    modules = [f"mldeploy.providers.{name}" for name in INTERFACE]
    found = {name: _module(importlib.import_module(name)) for name in modules}
    for each in (capabilities.Registry, capabilities.Runtime):  # once parts of a provider, now of those that can
        found["mldeploy.providers.base"]["Provider"] |= members(each)
    for name, parts in BASIS.items():
        module = importlib.import_module(name)
        found[name] = {part: _signatures(getattr(module, part)) for part in parts}
    return found


def _module(module: ModuleType) -> dict[str, Any]:
    own = {name: each for name, each in vars(module).items() if not name.startswith("_")}
    return {
        name: _signatures(each)
        for name, each in own.items()
        if getattr(each, "__module__", None) == module.__name__ and (inspect.isclass(each) or inspect.isfunction(each))
    }


def members(protocol: type) -> dict[str, list[str]]:
    """The public members of a protocol."""
    own = protocol.__dict__ | protocol.__annotations__
    return {name: _parameters(each) for name, each in own.items() if not name.startswith("_")}


def _signatures(thing: Any) -> Any:
    """A function's parameters, or a class's public members with theirs."""
    if not inspect.isclass(thing):
        return _parameters(thing)
    members = {name: _parameters(each) for name, each in inspect.getmembers(thing) if not name.startswith("_")}
    if dataclasses.is_dataclass(thing):
        members |= {field.name: ["field"] for field in dataclasses.fields(thing)}
    elif hasattr(thing, "model_fields"):
        members = {name: each for name, each in members.items() if name in vars(thing)}
    return {name: each for name, each in members.items() if not name.startswith(("model_", "_"))}


def _parameters(thing: Any) -> list[str]:
    if not callable(thing):
        return ["value"]
    try:
        return list(inspect.signature(thing).parameters)
    except (TypeError, ValueError):
        return ["value"]
