"""JSON Schemas (draft 2020-12) of the `--json` documents, generated from their dataclasses by Pydantic.

`python -m mldeploy.cli.manual` writes them to docs/schemas/. They say what a document contains; a later version of
mldeploy may add keys, so additional ones are allowed.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import types
import typing
from collections.abc import Iterator, Mapping

from pydantic import BaseModel, Field, create_model

from mldeploy.ui.documents import ErrorDocument

REHEARSAL = "true if a simulator was used (`--rehearse`); absent otherwise"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_files(
    documents: Mapping[str, type[object]], local_types: Mapping[str, type[object]]
) -> Iterator[tuple[str, str]]:
    """The name and text of each file. local_types: types that the documents' modules import only for type checking."""
    for name, document in {**documents, "error": ErrorDocument}.items():
        schema = build_model(document, tuple(local_types.items())).model_json_schema(mode="serialization")
        schema["properties"]["rehearsal"] = {"type": "boolean", "description": REHEARSAL}
        title = "Output of a command that failed" if name == "error" else f"Output of `mldeploy {name} --json`"
        yield (
            f"{name}.json",
            json.dumps({"$schema": DIALECT, **schema, "title": title}, indent=2, sort_keys=True) + "\n",
        )


@functools.cache
def build_model(document: type[object], local_types: tuple[tuple[str, type[object]], ...]) -> type[BaseModel]:
    """The Pydantic model of a document: its fields with their texts as descriptions. All are always there."""
    hints = typing.get_type_hints(document, localns=dict(local_types), include_extras=True)
    fields: dict[str, typing.Any] = {}
    for field in dataclasses.fields(document):  # type: ignore[arg-type]  # a dataclass, like every document
        kind, text = typing.get_args(hints[field.name])
        fields[field.name] = (_modeled(kind, local_types), Field(description=text))
    description = (document.__doc__ or "").partition("\n")[0]
    return create_model(document.__name__, __doc__=description, **fields)


def _modeled(kind: typing.Any, local_types: tuple[tuple[str, type[object]], ...]) -> typing.Any:
    """A field's type with its dataclasses as models."""
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return build_model(kind, local_types)
    arguments = typing.get_args(kind)
    if isinstance(kind, types.UnionType):
        return typing.Union[tuple(_modeled(each, local_types) for each in arguments)]  # noqa: UP007 - built at run time
    if not arguments or typing.get_origin(kind) is typing.Literal:
        return kind
    return kind.__class__(kind.__origin__, tuple(_modeled(each, local_types) for each in arguments))
