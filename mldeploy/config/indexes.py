"""Package indexes as they are written, and the credentials that belong to them."""

from __future__ import annotations

import netrc
import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit

from mldeploy.config.errors import ConfigError
from mldeploy.config.override import PREFIX
from mldeploy.config.secret import Secret
from mldeploy.config.settings import Index

_REFERENCE = re.compile(r"\$\{(\w+)\}")
_CREDENTIALS = re.compile(r"(?P<scheme>https?://)(?:(?P<credentials>[^/?#]*)@)?(?P<rest>.+)")
_LEFT_AS_THEY_ARE = "%!$&'()*+,;=:"
"""A variable may hold `user:password`, or what is percent-encoded already."""


def index(text: str, where: str, environment: Mapping[str, str] = os.environ) -> Index:
    """An index with its credentials: those in its URL, else those that a netrc file has for its host.

    `${NAME}` stands for a variable, as in pip's files. where: who wrote it; only a variable may hold a password
    itself, since files are committed. Raises ConfigError, which quotes neither the URL nor a variable.
    """
    parts = _CREDENTIALS.fullmatch(text)
    if parts is None:
        raise ConfigError(where, "must be the URL of a package index, with http:// or https://")
    written = parts["credentials"] or ""
    if _REFERENCE.sub("", written).strip(":").partition(":")[2] and not where.startswith(PREFIX):
        todo = "Write ${NAME}, and set the variable NAME where you build; or keep it in a netrc file."
        raise ConfigError(where, "holds a password, and the file is not the place for it", todo)
    credentials = _substituted(written, where, environment)
    url = parts["scheme"] + parts["rest"]
    if not credentials:
        credentials = _of_netrc(url, environment)
    return Index(url, Secret(credentials) if credentials else None)


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
        found = netrc.netrc(path).authenticators(urlsplit(url).hostname or "")
    except (OSError, RuntimeError, ValueError, netrc.NetrcParseError):
        return ""
    if found is None or not found[2]:
        return ""
    user, _, password = found
    return f"{quote(user or '', safe='')}:{quote(password, safe='')}"
