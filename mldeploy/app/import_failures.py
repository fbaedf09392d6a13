"""Imports that fail: a missing package, one of another version, a file that shadows one, a circular import."""

from __future__ import annotations

import re
import sys

from mldeploy.app.causes import FailureDiagnosis
from mldeploy.app.signs.sign import About
from mldeploy.project.detect.dependencies.distributions import (
    distribution_of,
    distribution_of_module,
    is_known_import,
    is_namespace,
)

_MISSING = re.compile(
    r"No module named '?(?P<module>[\w.]+)'?(?P<shadow>; '(?P<parent>[\w.]+)' is not a package)?(?:$|[^\w.])"
)
_PARTIAL = re.compile(
    r"(?:cannot import name '(?P<name>\w+)' from (?P<partial>partially initialized module )?|"
    r"(?P<attribute>(?:partially initialized )?module ))'(?P<module>[\w.]+)'(?P<rest>.*)"
)
_FILE = re.compile(r"(?P<file>/[^)'\"]+\.py)")
_PYTHON_WITHOUT = {
    **dict.fromkeys(("asynchat", "asyncore", "distutils", "imp", "smtpd"), "3.12"),
    **dict.fromkeys(
        ("aifc", "audioop", "cgi", "cgitb", "chunk", "crypt", "imghdr", "lib2to3", "mailcap", "nis", "nntplib",
         "pipes", "sndhdr", "spwd", "sunau", "telnetlib", "uu", "xdrlib"), "3.13",
    ),
}  # fmt: skip
"""Modules of the standard library, and the Python that removed them."""
_SAVE_MODELS = frozenset({
    "catboost", "category_encoders", "fastai", "imblearn", "joblib", "keras", "lightgbm", "numpy", "pandas", "pycaret",
    "scipy", "sklearn", "spacy", "statsmodels", "tensorflow", "tf_keras", "torch", "transformers", "xgboost",
})  # fmt: skip
"""Libraries whose modules a saved model names."""


def diagnose_import(line: str, requirements: str) -> FailureDiagnosis | None:
    """Return why an import fails, if the line says that one does."""
    if match := _MISSING.search(line):
        if match["parent"]:
            return _shadowed(match["parent"], f"{match['parent'].replace('.', '/')}.py")
        return _diagnose_missing(match["module"], requirements)
    if match := _PARTIAL.search(line):
        return _diagnose_partial(match)
    return None


def _diagnose_missing(module: str, requirements: str) -> FailureDiagnosis | None:
    """Python names the first module that it lacks: where the name has a dot, what stands before the dot is there."""
    top, dot, _ = module.partition(".")
    if module.startswith("numpy._core"):
        return None
    if removed := _diagnose_removed(module, top, requirements):
        return removed
    library = distribution_of(top)
    if dot and top in _SAVE_MODELS:
        what = f"the model or the code is made for another version of {library}, which has the module {module}"
        todo = f"Pin in {requirements} the {library} that the model was trained with, or train it again."
        return FailureDiagnosis(what, todo, About.MODEL)
    if dot and is_known_import(top) and not is_namespace(top):
        what = f"the {library} in the image has no module {module}: it is of another version, or lacks an extra"
        return FailureDiagnosis(what, f"Pin in {requirements} the {library} that the app was written with.")
    return _diagnose_absent(module, requirements)


def _diagnose_absent(module: str, requirements: str) -> FailureDiagnosis:
    what = f"the module {module} is not in the image"
    own = "If it is your own file, check that .dockerignore does not exclude it and that it is in the app's folder."
    name = distribution_of_module(module)
    if not name:
        todo = f"Add the distribution of {module} to {requirements}: several provide modules below that name."
        return FailureDiagnosis(what, todo)
    return FailureDiagnosis(what, f"If it comes from a package, add `{name}` to {requirements}. {own}")


def _diagnose_removed(module: str, top: str, requirements: str) -> FailureDiagnosis | None:
    """What setuptools or Python itself no longer has."""
    if module == "pkg_resources":
        what = "the module pkg_resources is not in the image: it is part of setuptools before version 82"
        return FailureDiagnosis(what, f"Add `setuptools<82` to {requirements}, or upgrade the package that imports it.")
    if release := _PYTHON_WITHOUT.get(top):
        what = f"the module {top} is not in the image: Python {release} removed it"
        todo = "Choose an older Python with `base_image` in [build] of mldeploy.toml, or upgrade what imports it."
        if top == "distutils":
            todo = f"Add `setuptools<82` to {requirements}, which has a copy, or choose Python 3.11 with `base_image`."
        return FailureDiagnosis(what, todo)
    return None


def _diagnose_partial(match: re.Match[str]) -> FailureDiagnosis | None:
    """`cannot import name …` and `module … has no attribute …`, where a file of the app's own is behind it."""
    module, rest = match["module"], match["rest"]
    file = _FILE.search(rest)
    path = file["file"] if file else ""
    own = bool(path) and "-packages/" not in path and "/lib/python" not in path
    is_partial = bool(match["partial"]) or "partially initialized" in match[0]
    has_its_name = own and path.rpartition("/")[2] == f"{module.partition('.')[0]}.py"
    if "consider renaming" in rest or (has_its_name and _is_foreign(module)):
        return _shadowed(module, path)
    if is_partial and not path and module in sys.stdlib_module_names:
        return _shadowed(module, f"{module}.py")
    if is_partial:
        what = f"a circular import: {module} is imported while it is still being imported itself"
        todo = "Move what both modules need into a third one, or import inside the function that needs it."
        return FailureDiagnosis(what, todo)
    return None


def _is_foreign(module: str) -> bool:
    top = module.partition(".")[0]
    return top in sys.stdlib_module_names or is_known_import(top)


def _shadowed(module: str, path: str) -> FailureDiagnosis:
    what = f"the app's own file {path} shadows the module {module}, so that Python imports the file instead"
    return FailureDiagnosis(what, "Rename the file.")
