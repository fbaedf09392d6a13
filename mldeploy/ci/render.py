"""The workflow as text: a pure function of what is wanted, with a first line by which it is known again."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import jinja2

from mldeploy.ci.workflow import Wanted, checks, deployment

TEMPLATE = Path(__file__).with_name("github.yml.template")
_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./@ ,'-]*|\$\{\{ [A-Za-z_.]+ \}\}")
"""What YAML reads as the text that it is, whatever its version; but see `_WORDS`."""
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "null"})
_HEAD = re.compile(r"# By `mldeploy ci github` \S+ \(([0-9a-f]{16})\)\..*")


def render(wanted: Wanted) -> str:
    """The file."""
    template = _environment().from_string(TEMPLATE.read_text(encoding="utf-8"))
    body = template.render(wanted=wanted, checks=checks(wanted), deployment=deployment(wanted))
    said = f"# By `mldeploy ci github` {wanted.version} ({_sum(body)}). It is yours: change it as you like."
    return f"{said}\n{body}"


def is_untouched(text: str) -> bool | None:
    """Whether a file is as mldeploy wrote it; None if it is not of mldeploy's making."""
    first, _, body = text.partition("\n")
    head = _HEAD.fullmatch(first)
    return head[1] == _sum(body) if head else None


def _sum(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:16]


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - it is not HTML
        keep_trailing_newline=True,
    )
    environment.filters["scalar"] = _scalar
    environment.filters["json"] = json.dumps
    environment.filters["expression"] = _expression
    return environment


def _scalar(text: str) -> str:
    """A text as YAML; JSON's texts are YAML's, too. `true` and `false` stay the words that an action's inputs are."""
    plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS and not text.endswith(" ") and " '" not in text
    return text if plain else json.dumps(text)


def _expression(text: str) -> str:
    """A text in an expression of GitHub's: between single quotes, which are doubled in it."""
    return "'" + text.replace("'", "''") + "'"
