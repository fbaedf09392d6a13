"""Package indexes as they are written, and the credentials that belong to them."""

from __future__ import annotations

import netrc
import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from mldeploy.config.errors import ConfigError
from mldeploy.config.host_access import HostAccess
from mldeploy.config.override import PREFIX
from mldeploy.config.secret import Secret
from mldeploy.config.settings import Index
from mldeploy.core.files import read_bytes
from mldeploy.core.redaction import remember

_REFERENCE = re.compile(r"\$\{(\w+)\}")
_CREDENTIALS = re.compile(r"(?P<scheme>https?://)(?:(?P<credentials>[^/?#]*)@)?(?P<rest>.+)")
_LEFT_AS_THEY_ARE = "%!$&'()*+,;=:"
"""A variable may hold `user:password`, or what is percent-encoded already."""


def index(
    text: str, where: str, environment: Mapping[str, str] = os.environ, access: HostAccess | None = None
) -> Index:
    """An index with its credentials: those in its URL, else those that a netrc file has for its host.

    `${NAME}` stands for a variable, as in pip's files. where: who wrote it; only a variable may hold a password
    itself, since files are committed. access: what the project that wrote it may read of this machine; None: the user
    wrote it. Raises ConfigError, which quotes neither the URL nor a variable.
    """
    parts = _CREDENTIALS.fullmatch(text)
    if parts is None:
        raise ConfigError(where, "must be the URL of a package index, with http:// or https://")
    written = parts["credentials"] or ""
    if _REFERENCE.sub("", written).strip(":").partition(":")[2] and not where.startswith(PREFIX):
        todo = "Write ${NAME}, and set the variable NAME where you build; or keep it in a netrc file."
        raise ConfigError(where, "contains a password, and the file may be committed", todo)
    url = parts["scheme"] + parts["rest"]
    if access is not None:
        for name in _REFERENCE.findall(written):
            access.require_variable(name, where, _host(url, where))
    credentials = _substituted(written, where, environment)
    if not credentials and not (access and access.is_restricted):
        credentials = _of_netrc(url, environment)
    _, _, password = credentials.partition(":")
    remember(unquote(password))
    return Index(url, Secret(credentials) if credentials else None)


def _host(url: str, where: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        raise ConfigError(where, "must be the URL of a package index, with http:// or https://") from None


def _substituted(text: str, where: str, environment: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        if not environment.get(match[1]):
            raise ConfigError(where, f"the variable {match[1]} is not set", "Set it where you build.")
        return quote(environment[match[1]], safe=_LEFT_AS_THEY_ARE)

    return _REFERENCE.sub(value, text)


def _of_netrc(url: str, environment: Mapping[str, str]) -> str:
    """`user:password`, percent-encoded. A file that pip could not use either is passed over."""
    try:
        path = Path(environment.get("NETRC") or Path("~/.netrc").expanduser())
        read_bytes(path)  # netrc itself would wait for a named pipe
        entry = netrc.netrc(path).authenticators(urlsplit(url).hostname or "")
    except (OSError, RuntimeError, ValueError, netrc.NetrcParseError):
        return ""
    if entry is None or not entry[2]:
        return ""
    user, _, password = entry
    return f"{quote(user or '', safe='')}:{quote(password, safe='')}"
