"""What keeps a Django project from answering in a container: the names that it lets itself be called by."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from mldeploy.project.detect.entry import Entry
from mldeploy.project.detect.findings import Found, Remark, Severity
from mldeploy.project.detect.source import Module
from mldeploy.project.detect.static import constant

_TODO = (
    'Take them from the environment: `ALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", "localhost,127.0.0.1")'
    '.split(",")`.'
)


def hosts(entry: Found[Entry] | None, modules: Iterable[Module]) -> Iterator[Remark]:
    """ALLOWED_HOSTS that answers 400 to the health check, which asks for localhost, or to whoever comes by the URL.

    https://docs.djangoproject.com/en/stable/ref/settings/#allowed-hosts: an empty list is localhost while DEBUG is on.
    """
    if not entry or entry.value.framework != "Django":
        return
    for module in modules:
        value = module.constants.get("ALLOWED_HOSTS")
        if not isinstance(value, ast.List | ast.Tuple):
            continue
        names = [constant(each, module) for each in value.elts]
        if None in names or "*" in names:
            continue
        debug = constant(module.constants.get("DEBUG"), module) is True
        healthy = {"localhost", "127.0.0.1"} <= {str(name).lstrip(".") for name in names} or (debug and not names)
        if not healthy:
            what = "ALLOWED_HOSTS lacks localhost and 127.0.0.1, so that the health check is answered 400"
            yield Remark("allowed-hosts", Severity.ERROR, module.at(value), what, _TODO)
        elif all(name in {"localhost", "127.0.0.1", "[::1]", ".localhost"} for name in names):
            what = "ALLOWED_HOSTS names this machine alone, so that whoever comes by the public URL is answered 400"
            yield Remark("allowed-hosts", Severity.WARNING, module.at(value), what, _TODO)
