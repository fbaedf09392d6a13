"""`python -m mldeploy_model.prove MODEL [--sample ROWS.csv]`: compare the compiled path of a model with its own.

It prints the proof as JSON. With `--models models.json` it proves all models of an image and prints one proof a name;
with `--write` it also writes them where the server reads them. It loads the models, so it runs only in the container.
The exit status is 0 whether or not the paths are equal, and 1 with `{"error": {"what": …, "remedy": …}}` if a model
does not load.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

from mldeploy_model.predictor import ModelLoadError
from mldeploy_model.schema import ModelSchema, SchemaError, read_models


def main() -> int:
    options = _parser().parse_args()
    output = os.dup(1)
    os.dup2(2, 1)  # what a model or its library prints is no part of the JSON
    try:
        document, status = _prove_all(options) if options.models or options.schema else _prove_one(options), 0
    except ModelLoadError as error:
        document, status = {"error": {"what": error.what, "remedy": error.remedy}}, 1
    except (OSError, SchemaError) as error:
        document, status = {"error": {"what": str(error), "remedy": "Correct the file, or name another one"}}, 1
    with os.fdopen(output, "w", encoding="utf-8") as stdout:
        stdout.write(f"{json.dumps(document, ensure_ascii=False, allow_nan=False)}\n")
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mldeploy_model.prove", description="Prove that the compiled path predicts as the model does."
    )
    parser.add_argument("model", type=Path, nargs="?", help="the model's file")
    parser.add_argument("--sample", type=Path, help="a CSV file with rows as the model takes them")
    parser.add_argument("--models", type=Path, help="the models.json of an image, instead of one model")
    parser.add_argument("--schema", help="the text of a models.json, instead of its file")
    parser.add_argument("--write", action="store_true", help="also write the proofs of --models below --folder")
    parser.add_argument("--folder", type=Path, default=Path(), help="the folder that the models' paths start from")
    parser.add_argument("--tolerance", type=float, default=0.0, help="the relative difference that is allowed")
    parser.add_argument("--runtime", choices=("full", "minimal"), default="full", help="minimal: of NumPy alone")
    parser.add_argument("--rows", type=int, default=2000, help="random rows that are tried")
    return parser


def _prove_one(options: argparse.Namespace) -> dict[str, Any]:
    from mldeploy_model.formats import describe_model

    if options.model is None:
        raise ModelLoadError("no model is named", "Name the model's file, or --models")
    if not options.model.exists():
        raise ModelLoadError(f"{options.model} does not exist", "Name the model's file")
    described = describe_model(options.model, options.sample)
    schema = ModelSchema(
        options.model.stem, options.model.name, described.format, described.task, described.columns,
        sample=described.sample,
    )  # fmt: skip
    return _proof(schema, options.model.parent, options)


def _prove_all(options: argparse.Namespace) -> dict[str, Any]:
    models = read_models(options.schema or options.models.read_text(encoding="utf-8"))
    proofs = {schema.name: _proof(schema, options.folder, options) for schema in models}
    if not options.write:
        return proofs
    from mldeploy_model.compiled.serving import PROOFS

    path = options.folder / PROOFS
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(proofs, ensure_ascii=False), encoding="utf-8")
    return proofs


def _proof(schema: ModelSchema, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    from mldeploy_model.compiled.proof import Effort
    from mldeploy_model.compiled.serving import find_plan_obstacle, prove_model, prove_plan
    from mldeploy_model.formats.registry import open_model

    estimator = getattr(open_model(folder / schema.path, folder), "estimator", None)
    if estimator is None:
        return {"equal": False, "rows": 0, "reason": f"a model of the format {schema.format} is not compiled"}
    if options.runtime == "minimal":
        proof, plan = prove_plan(estimator, schema, options.tolerance, Effort(rows=max(options.rows, 1)))
        return {**json.loads(proof.to_json()), "summary": proof.summary(), "plan": b64encode(plan).decode()}
    proof = prove_model(estimator, schema, options.tolerance, Effort(rows=max(options.rows, 1)))
    return {
        **json.loads(proof.to_json()),
        "summary": proof.summary(),
        "minimal": find_plan_obstacle(estimator, schema),
    }


if __name__ == "__main__":
    sys.exit(main())
