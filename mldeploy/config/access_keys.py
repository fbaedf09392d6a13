"""Access keys: their document in the target's secret store, and what the app's container gets of them."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from mldeploy.config.errors import ConfigError
from mldeploy.config.secret import Secret
from mldeploy.config.settings import App, Project
from mldeploy.core.parsing import parse_json

STORED = "MLDEPLOY_ACCESS_KEYS"
"""The secret that holds the keys. The container never gets it."""
DIGESTS, RATE = "MLDEPLOY_ACCESS_DIGESTS", "MLDEPLOY_ACCESS_RATE"
"""Variables of the container: the SHA-256 of each key, and `app.key_rate`."""
FIRST = "default"
"""Name of the key that the first deployment creates."""
MOST = 32
"""Keys of one app: each request is compared with every one."""
KEY = "key"
IAM = "iam"
"""The value of `app.access`."""
_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,38}[a-z0-9])?")
_TODO = "Run `mldeploy keys create NAME` after you have removed the secret from the store."


@dataclass(frozen=True)
class AccessKey:
    """One key. created: ISO 8601, UTC."""

    name: str
    created: str
    value: Secret

    @classmethod
    def make(cls, name: str) -> AccessKey:
        """A new key of 256 random bits. Raises ConfigError if the name is not valid."""
        if not _NAME.fullmatch(name):
            todo = "Use 1 to 40 lower-case letters, digits, `.`, `_` or `-`; begin and end with a letter or digit."
            raise ConfigError(f"key {name!a}", "is not a valid name", todo)
        created = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return cls(name, created, Secret(f"mldk_{secrets.token_urlsafe(32)}"))

    @property
    def digest(self) -> str:
        """SHA-256, hexadecimal. It does not lead back to the key."""
        return hashlib.sha256(self.value.reveal().encode()).hexdigest()


Keys = tuple[AccessKey, ...]
"""The keys of an app, in the order of their creation."""


def dump_keys(keys: Sequence[AccessKey]) -> Secret:
    """Return the document for the store."""
    listed = [{"name": each.name, "created": each.created, "value": each.value.reveal()} for each in keys]
    return Secret(json.dumps({"version": 1, "keys": listed}, separators=(",", ":")))


def parse_keys(document: Secret) -> Keys:
    """Return the keys of a document. Raises ConfigError, without its text, if it is not one of ours."""
    try:
        parsed = parse_json(document.reveal())
        listed = parsed["keys"] if isinstance(parsed, dict) and parsed.get("version") == 1 else None
        if not isinstance(listed, list):
            raise TypeError
        return tuple(_parse_key(each) for each in listed)
    except (ValueError, TypeError, KeyError, RecursionError):
        raise ConfigError(STORED, "the secret does not hold access keys that this version can read", _TODO) from None


def _parse_key(entry: object) -> AccessKey:
    if not isinstance(entry, dict):
        raise TypeError
    name, created, value = entry["name"], entry["created"], entry["value"]
    if not (isinstance(name, str) and isinstance(created, str) and isinstance(value, str) and value):
        raise TypeError
    return AccessKey(name, created, Secret(value))


def with_keys(project: Project, keys: Sequence[AccessKey]) -> Project:
    """Return the project whose container accepts these keys, and whose own requests use the first one.

    Without keys, the container refuses every request. The oldest is the one that a running version accepts, too.
    Unchanged unless `app.access` is "key".
    """
    app = project.app
    if app.access != KEY:
        return project
    digests = " ".join(sorted(each.digest for each in keys))
    variables = {**dict(app.env), DIGESTS: Secret(digests, is_public=True)}
    if app.key_rate:
        variables[RATE] = Secret(f"{app.key_rate:g}", is_public=True)
    own = keys[0].value if keys else None
    return replace(project, app=replace(app, env=tuple(sorted(variables.items())), own_key=own))


def has_our_server(project: Project) -> bool:
    """Whether the server of mldeploy is in the image, which asks for keys by itself."""
    return not project.app.command and project.build.dockerfile is None


def key_headers(app: App) -> tuple[tuple[str, Secret], ...]:
    """Return the header fields of mldeploy's own requests to the app."""
    return (("X-API-Key", app.own_key),) if app.own_key else ()
