"""`python -m mldeploy_model.describe MODEL [--sample ROWS.csv]`: print the description of a model as JSON.

It loads the model, so it runs only where a model may be loaded: in the container. The exit status is 0, or 1 with
`{"error": {"what": …, "remedy": …}}`. What the model or its library prints goes to stderr.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from mldeploy_model.formats import describe_model
from mldeploy_model.predictor import ModelLoadError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m mldeploy_model.describe", description="Describe a model as JSON.")
    parser.add_argument("model", type=Path, help="the model's file or folder")
    parser.add_argument("--sample", type=Path, help="a CSV file with rows as the model takes them")
    options = parser.parse_args()
    output = os.dup(1)
    os.dup2(2, 1)
    try:
        document, status = describe_model(options.model, options.sample).to_json(), 0
    except ModelLoadError as error:
        document, status = json.dumps({"error": {"what": error.what, "remedy": error.remedy}}), 1
    with os.fdopen(output, "w", encoding="utf-8") as stdout:
        stdout.write(f"{document}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
