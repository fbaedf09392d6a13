"""Tells what an image's Python has installed, and whether the models load in it. Its text runs inside the container.

It is never imported by mldeploy, needs the standard library alone, and is understood from Python 3.6 on: the image is
anybody's. The last argument is a JSON list of paths. What it tells are lines of JSON, each complete when it is written,
so that what was told survives a model that takes the process with it.
"""

# ruff: noqa: BLE001, PLC0415, PTH109, PTH123, S301 - it loads what the app loads, whatever that raises, in any Python
# mypy: ignore-errors

import json
import os
import platform
import sys
import traceback
import warnings

told = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what a model's libraries print is no answer


def tell(**facts):
    told.write(json.dumps(facts) + "\n")
    told.flush()


def distributions():
    try:
        from importlib.metadata import distributions as installed
    except ImportError:
        import pkg_resources

        return [{"name": each.project_name, "version": each.version} for each in pkg_resources.working_set]
    return list(filter(None, map(described, installed())))


def described(each):
    about = each.metadata
    if not about or not about.get("Name") or not each.version:
        return None  # what a broken removal left
    terms = about.get("License-Expression") or short(about.get("License")) or trove(about.get_all("Classifier"))
    return {"name": about["Name"], "version": each.version, "license": terms, "requires": list(each.requires or ())}


def short(text):
    """Some put a whole licence's text there."""
    return text if text and len(text) < 60 and "\n" not in text and text != "UNKNOWN" else ""


def trove(classifiers):
    names = [each.rpartition("::")[2].strip() for each in classifiers or () if each.startswith("License ::")]
    return names[0] if names else ""


def load(path):
    try:
        import joblib
    except ImportError:
        import pickle

        with open(path, "rb") as file:
            pickle.load(file)
        return
    joblib.load(path)


def try_to_load(path):
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            load(path)
            error, where = "", []
        except BaseException as problem:
            error = traceback.format_exception_only(type(problem), problem)[-1].strip()
            where = [frame.filename for frame in traceback.extract_tb(problem.__traceback__)]
    said = [f"{each.category.__name__}: {each.message}" for each in heard]
    tell(model=path, error=error, files=where, warnings=said[:20])


def main():
    sys.path[0] = os.getcwd()
    tell(python=platform.python_version(), machine=platform.machine())
    try:
        tell(distributions=distributions())
    except Exception as problem:
        tell(distributions=None, problem=repr(problem))
    for path in json.loads(sys.argv[-1]):
        tell(loading=path)
        try_to_load(path)


main()
