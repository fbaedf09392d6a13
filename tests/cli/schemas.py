"""Every `--json` document that a test makes is held against its published schema."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from pathlib import Path

from jsonschema import Draft202012Validator

SCHEMAS = Path(__file__).resolve().parents[2] / "docs" / "schemas"


def check_document(arguments: Sequence[str], text: str) -> None:
    """Raises jsonschema.ValidationError if standard output is a document that its schema does not allow."""
    try:
        document = json.loads(text)
    except ValueError:
        return  # no document, which the test itself notices
    validator("error" if "error" in document else find_name(arguments)).validate(document)


def find_name(arguments: Sequence[str]) -> str:
    """The name of the schema for a command line."""
    if {"--version", "-V"} & set(arguments):
        return "version"
    command = next((each for each in arguments if (SCHEMAS / f"{each}.json").is_file()), "help")
    return "help" if "--help" in arguments else command


@functools.cache
def validator(name: str) -> Draft202012Validator:
    schema = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)
