"""The files of an image that serves models: the server's package, and the description of the models."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

import mldeploy_model
from mldeploy.config.settings import ServedColumn, ServedModel
from mldeploy.core.parsing import parse_json
from mldeploy.image.context import Text
from mldeploy.image.files import ContextFile, Sort
from mldeploy.image.hash_cache import hash_cache
from mldeploy.project.errors import ProjectError
from mldeploy.project.sample import load_sample
from mldeploy_model.schema import Column, ModelSchema, SchemaError, write_models

DESCRIPTION_FOLDER = ".mldeploy"
"""Below the app's folder in the image."""
VERSION_DIGITS = 12
EXAMPLE_ROWS = 5
"""Rows of the sample that the server shows as examples."""


def list_package_files() -> Iterator[Text]:
    """Yield the files of the server's package, for the builder stage."""
    root = Path(mldeploy_model.__file__).parent
    for path in sorted(root.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc":
            yield Text(f"builder/mldeploy_model/{path.relative_to(root).as_posix()}", path.read_bytes())


def list_description_files(
    folder: Path, served: tuple[ServedModel, ...], files: tuple[ContextFile, ...]
) -> Iterator[Text]:
    """Yield the description of the models or, as long as one has none, the samples for their inspection.

    files: of the models. Raises ProjectError.
    """
    below = f"code/app/{DESCRIPTION_FOLDER}"
    if all(each.is_described for each in served):
        text = write_models([to_schema(with_rows(folder, each), files) for each in served])
        yield Text(f"{below}/models.json", text.encode())
        if proofs := {each.name: parse_json(each.proof) for each in served if each.proof}:
            yield Text(f"{below}/proofs.json", json.dumps(proofs, ensure_ascii=False, sort_keys=True).encode())
        for each in served:
            if each.plan:
                yield Text(f"model/app/{DESCRIPTION_FOLDER}/plans/{each.name}.plan", base64.b64decode(each.plan))
        return
    for each in served:
        if each.sample:
            yield Text(f"{below}/{sample_name(each)}", load_sample(folder, each.sample).to_csv().encode())


def with_rows(folder: Path, served: ServedModel) -> ServedModel:
    """Return the model with the first rows of its sample."""
    if served.rows or not served.sample:
        return served
    types = {each.name: each.type or "text" for each in served.columns}
    return replace(served, rows=load_sample(folder, served.sample).typed_rows(types, EXAMPLE_ROWS))


def sample_name(served: ServedModel) -> str:
    """Return the path of a sample in the image, below the description's folder: errors show the file's own name."""
    return f"{served.name}/{PurePosixPath(served.sample or '').name}"


def to_schema(served: ServedModel, files: Iterable[ContextFile] = ()) -> ModelSchema:
    """Return the description that the server reads. Raises ProjectError if it contradicts itself."""
    try:
        return ModelSchema(
            name=served.name,
            path=served.path,
            format=served.format,
            task=served.task or "other",
            columns=tuple(map(_column, served.columns)),
            target=served.target or "prediction",
            classes=served.classes,
            version=served.version or _version(served.path, files),
            log_rate=served.log_rate,
            probabilities=bool(served.probabilities),
            max_rows=served.max_rows,
            sample=tuple(dict(row) for row in served.rows),
        )
    except SchemaError as error:
        raise ProjectError(f"[model] {served.name}", str(error), "Correct mldeploy.toml.") from error


def _column(column: ServedColumn) -> Column:
    return Column(
        name=column.name,
        type=column.type or "number",
        minimum=column.minimum,
        maximum=column.maximum,
        categories=column.categories,
        unit=column.unit or "",
        optional=bool(column.optional),
        example=column.example,
    )


def _version(path: str, files: Iterable[ContextFile]) -> str:
    """Return the beginning of the SHA-256 of a model's file, or of those in its folder."""
    own = [each for each in files if each.sort is Sort.FILE and (each.path == path or each.path.startswith(f"{path}/"))]
    with hash_cache() as cache:
        digests = [each.content_digest(cache) for each in own]
    if len(digests) != 1:
        digests = [_combine(digests)] if digests else [""]
    return digests[0][:VERSION_DIGITS]


def _combine(digests: list[str]) -> str:
    return hashlib.sha256("".join(digests).encode()).hexdigest()
