"""Whether an image's distributions match the requirements and the versions that the models were saved with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from packaging.version import Version

from mldeploy.app.log_causes import diagnose_log
from mldeploy.check.contents import Layers
from mldeploy.check.inspection import ImageInspection, Load
from mldeploy.config.settings import Project
from mldeploy.core.findings import Finding, error, ok, warning
from mldeploy.project.detect.dependencies import requirements_txt
from mldeploy.project.detect.dependencies.dependency import (
    Dependency,
    marker_applies,
    parse_version,
    target_environment,
)
from mldeploy.project.detect.models.formats import ModelContents
from mldeploy.project.detect.tree import Tree, TreeFile, scan_folder

SHOWN = 5
PICKLE = "pickle"


def check_requirements(project: Project, inspection: ImageInspection) -> Iterator[Finding]:
    """Yield the finding about the requirements file: installed distributions must meet each line."""
    path = project.build.requirements
    tree = _tree(project)
    if tree.get(path) is None:
        return
    if inspection.distributions is None:
        yield warning("requirements", f"could not be checked: {inspection.problem}")
        return
    listed = requirements_txt.read_requirements(tree, path).dependencies
    required = [each for each in listed if marker_applies(each.marker, marker_environment(inspection))]
    unmet = [problem for each in required if (problem := _describe_unmet(each, inspection))]
    if unmet:
        more = f"\nand {len(unmet) - SHOWN} more" if len(unmet) > SHOWN else ""
        todo = f"Let the image install {path} as it is, or correct it."
        # A custom Dockerfile may omit development dependencies.
        yield (warning if project.build.dockerfile else error)("requirements", "\n".join(unmet[:SHOWN]) + more, todo)
    else:
        count = len(inspection.distributions)
        yield ok("requirements", f"{_describe_met(len(required), path)}; distributions installed: {count}")


def check_models(
    inspection: ImageInspection, files: Mapping[str, ModelContents | None], requirements: str, *, answered: bool
) -> Iterator[Finding]:
    """Yield a finding for each model. files: the metadata by path in the image.

    answered: the golden row matched, so the app loads its model, even if the inspector cannot.
    """
    loads = {each.path: each for each in inspection.loads}
    for path, contents in files.items():
        load = loads.get(f"/{path}")
        if load and load.error:
            yield (warning if answered else error)("model", *_describe_load_error(path, load, inspection, requirements))
        elif differing := _find_difference(contents, inspection):
            name, made, has = differing
            what = f"{path} was saved with {name} {made}, and the image has {has}"
            todo = f"Write `{name}=={made}` in {requirements}, or train the model again with {has}."
            yield warning("model", what, todo)
        else:
            yield ok("model", _describe_load(path, contents, load))


def _describe_met(count: int, path: str) -> str:
    match count:
        case 0:
            return f"{path} asks for nothing"
        case 1:
            return f"what {path} asks for is installed"
        case _:
            return f"all {count} of {path} are met"


def _tree(project: Project) -> Tree:
    """Return the folder, or a tree with the generated requirements file."""
    text, path = project.build.requirements_text, project.build.requirements
    if text is None:
        return scan_folder(project.app.folder)
    return Layers(Path("/"), (TreeFile(path, len(text)),), kept={path: text.encode()})


def marker_environment(inspection: ImageInspection) -> dict[str, str]:
    """Return the marker variables of the image (PEP 508)."""
    feature = ".".join(inspection.python.split(".")[:2])
    return {
        **target_environment(feature),
        "python_full_version": inspection.python,
        "implementation_version": inspection.python,
        "platform_machine": inspection.machine,
    }


def _describe_unmet(dependency: Dependency, inspection: ImageInspection) -> str:
    distribution = inspection.installed.get(dependency.name)
    if distribution is None:
        return f"{dependency.name} is not installed ({dependency.source})"
    has = parse_version(distribution.version)
    if has and not dependency.allows(has):
        return f"{dependency.name} {has} is installed, and {dependency.source} asks for {dependency.specifier}"
    return ""


def _describe_load_error(path: str, load: Load, inspection: ImageInspection, requirements: str) -> tuple[str, str]:
    """Return the problem of a model that does not load, with the library that raised, and the remedy."""
    diagnosis = diagnose_log([load.error], requirements)
    cause = diagnosis.cause if diagnosis else load.error
    distribution = inspection.installed.get(load.library.replace("sklearn", "scikit-learn"))
    suffix = f" {distribution.version}" if distribution else ""
    library = f" (raised in {load.library}{suffix})" if load.library else ""
    return f"{path}: {cause.removeprefix('the app failed: ')}{library}", (diagnosis.todo if diagnosis else "")


def _find_difference(
    contents: ModelContents | None, inspection: ImageInspection
) -> tuple[str, Version, Version] | None:
    """Return the first library whose version differs: its name, the recorded and the installed version."""
    for name, recorded in _recorded_versions(contents):
        distribution = inspection.installed.get(name)
        made, has = parse_version(recorded), parse_version(distribution.version) if distribution else None
        if made and has and made != has:
            return name, made, has
    return None


def _recorded_versions(contents: ModelContents | None) -> list[tuple[str, str]]:
    if contents is None:
        return []
    sklearn = contents.pickle.sklearn[-1:] if contents.pickle else ()
    return [*contents.versions, *(("scikit-learn", each) for each in sklearn)]


def _describe_load(path: str, contents: ModelContents | None, load: Load | None) -> str:
    by = " and ".join(f"{name} {recorded}" for name, recorded in _recorded_versions(contents))
    made = f", with the {by} that it was saved with" if by else ""
    if load:
        return f"{path} loads{made}"
    return f"{path} ({contents.format if contents else 'of an unknown format'}) is left to the app to load{made}"
