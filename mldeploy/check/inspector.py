"""Lists the installed distributions and loads the models. The text of this file runs inside the container.

mldeploy never imports it. It needs only the standard library of Python 3.6 or later. The last argument is a JSON list
of paths. Each line of output is a JSON object, written at once, so that it survives a model that crashes the process.
"""

# ruff: noqa: BLE001, PLC0415, PTH109, PTH123, S301 - it loads what the app loads, whatever that raises, in any Python
# mypy: ignore-errors

import json
import os
import platform
import sys
import traceback
import warnings

output = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # keep prints of libraries out of the output


def tell(**facts):
    output.write(json.dumps(facts) + "\n")
    output.flush()


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
        return None  # left by an incomplete removal
    terms = about.get("License-Expression") or short(about.get("License")) or trove(about.get_all("Classifier"))
    return {"name": about["Name"], "version": each.version, "license": terms, "requires": list(each.requires or ())}


def short(text):
    """Return the license unless it is its whole text."""
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
    messages = [f"{each.category.__name__}: {each.message}" for each in heard]
    tell(model=path, error=error, files=where, warnings=messages[:20])


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
