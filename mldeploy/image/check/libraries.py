"""Whether what is installed in an image is what the app and its models were made with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from packaging.version import Version

from mldeploy.config.settings import Project
from mldeploy.core.findings import Finding, error, ok, warning
from mldeploy.image.check.contents import Layers
from mldeploy.image.check.inspection import Inspection, Load
from mldeploy.image.running.causes import from_log
from mldeploy.project.detect import requirements_txt
from mldeploy.project.detect.dependency import Dependency, applies, target_environment
from mldeploy.project.detect.formats import Contents
from mldeploy.project.detect.specifiers import version
from mldeploy.project.detect.tree import File, Tree, scan

SHOWN = 5
PICKLE = "pickle"


def requirements(project: Project, inspection: Inspection) -> Iterator[Finding]:
    """The line about the requirements file: each of its lines must be met by what is installed."""
    path = project.build.requirements
    tree = _tree(project)
    if tree.get(path) is None:
        return
    if inspection.distributions is None:
        yield warning("requirements", f"could not be looked at: {inspection.problem}")
        return
    listed = requirements_txt.listing(tree, path).dependencies
    wanted = [each for each in listed if applies(each.marker, environment(inspection))]
    unmet = [said for each in wanted if (said := _unmet(each, inspection))]
    if unmet:
        more = f"\nand {len(unmet) - SHOWN} more" if len(unmet) > SHOWN else ""
        todo = f"Let the image install {path} as it is, or correct it."
        # A Dockerfile of the user's own may well leave out what only developing needs.
        yield (warning if project.build.dockerfile else error)("requirements", "\n".join(unmet[:SHOWN]) + more, todo)
    else:
        count = len(inspection.distributions)
        yield ok("requirements", f"{_met(len(wanted), path)}; distributions installed: {count}")


def models(
    inspection: Inspection, files: Mapping[str, Contents | None], requirements: str, *, answered: bool
) -> Iterator[Finding]:
    """A line for each model. files: what each says of itself, by its path in the image.

    answered: the golden row held, so the app loads its model in some way, whatever we could not do.
    """
    loads = {each.path: each for each in inspection.loads}
    for path, contents in files.items():
        load = loads.get(f"/{path}")
        if load and load.error:
            yield (warning if answered else error)("model", *_not_loaded(path, load, inspection, requirements))
        elif differing := _differing(contents, inspection):
            name, made, has = differing
            what = f"{path} was saved with {name} {made}, and the image has {has}"
            todo = f"Write `{name}=={made}` in {requirements}, or train the model again with {has}."
            yield warning("model", what, todo)
        else:
            yield ok("model", _fine(path, contents, load))


def _met(count: int, path: str) -> str:
    match count:
        case 0:
            return f"{path} asks for nothing"
        case 1:
            return f"what {path} asks for is installed"
        case _:
            return f"all {count} of {path} are met"


def _tree(project: Project) -> Tree:
    """The folder, or what stands for the requirements file where the dependencies are listed elsewhere."""
    text, path = project.build.requirements_text, project.build.requirements
    if text is None:
        return scan(project.app.folder)
    return Layers(Path("/"), (File(path, len(text)),), kept={path: text.encode()})


def environment(inspection: Inspection) -> dict[str, str]:
    """The marker variables of the image (PEP 508)."""
    feature = ".".join(inspection.python.split(".")[:2])
    return {
        **target_environment(feature),
        "python_full_version": inspection.python,
        "implementation_version": inspection.python,
        "platform_machine": inspection.machine,
    }


def _unmet(wanted: Dependency, inspection: Inspection) -> str:
    found = inspection.installed.get(wanted.name)
    if found is None:
        return f"{wanted.name} is not installed ({wanted.source})"
    has = version(found.version)
    if has and not wanted.allows(has):
        return f"{wanted.name} {has} is installed, and {wanted.source} asks for {wanted.specifier}"
    return ""


def _not_loaded(path: str, load: Load, inspection: Inspection, requirements: str) -> tuple[str, str]:
    """What to say of a model that does not load, and what to do. It names the library, if one is to blame."""
    told = from_log([load.error], requirements)
    said = told.cause if told else load.error
    distribution = inspection.installed.get(load.library.replace("sklearn", "scikit-learn"))
    version = f" {distribution.version}" if distribution else ""
    library = f" (raised in {load.library}{version})" if load.library else ""
    return f"{path}: {said.removeprefix('the app failed: ')}{library}", (told.todo if told else "")


def _differing(contents: Contents | None, inspection: Inspection) -> tuple[str, Version, Version] | None:
    """The first library whose version is not the one that the model records: its name, that one, the installed one."""
    for name, recorded in _versions(contents):
        found = inspection.installed.get(name)
        made, has = version(recorded), version(found.version) if found else None
        if made and has and made != has:
            return name, made, has
    return None


def _versions(contents: Contents | None) -> list[tuple[str, str]]:
    if contents is None:
        return []
    sklearn = contents.pickle.sklearn[-1:] if contents.pickle else ()
    return [*contents.versions, *(("scikit-learn", each) for each in sklearn)]


def _fine(path: str, contents: Contents | None, load: Load | None) -> str:
    by = " and ".join(f"{name} {recorded}" for name, recorded in _versions(contents))
    made = f", with the {by} that it was saved with" if by else ""
    if load:
        return f"{path} loads{made}"
    return f"{path} ({contents.format if contents else 'of an unknown format'}) is left to the app to load{made}"
