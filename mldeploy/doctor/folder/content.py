"""What of the folder gets into the image: how much, what is heavy in it, and what must not be in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mldeploy.config.settings import Project
from mldeploy.image.assembly import assemble
from mldeploy.image.files import File, Sort
from mldeploy.project.detect import dockerfile
from mldeploy.project.detect.bulk import bulk, megabytes
from mldeploy.project.detect.findings import Remark
from mldeploy.project.detect.secrets import secrets
from mldeploy.project.detect.tree import scan
from mldeploy.project.ignore import NAME
from mldeploy.providers.checks import Finding, ok, warning

HEAVY = 100 * 10**6
"""Bytes beside the models. No code is so large; it is data, or an environment."""
SHOWN = 3


@dataclass(frozen=True)
class Content:
    """The project's files that are copied into the image, by their path in the folder, with their sizes in bytes."""

    project: Project
    sizes: dict[str, int]

    @classmethod
    def of(cls, project: Project) -> Content:
        """As `build` would take them. Raises ProjectError."""
        folder = project.app.folder
        files = (each for each in assemble(project).members if isinstance(each, File) and each.sort is Sort.FILE)
        inside = (each for each in files if each.source.is_relative_to(folder))
        return cls(project, {each.source.relative_to(folder).as_posix(): each.size for each in inside})

    @property
    def beside_models(self) -> int:
        """Bytes of everything but the models."""
        models = self.project.app.models
        return sum(
            size
            for path, size in self.sizes.items()
            if not any(path == model or path.startswith(f"{model}/") for model in models)
        )


def content(project: Project) -> Iterator[Finding]:
    """Raises ProjectError where not even a build could tell what to copy."""
    found = Content.of(project)
    yield _ignore_file(project)
    yield _weight(found)
    yield from _unwanted(found)


def _ignore_file(project: Project) -> Finding:
    if (project.app.folder / NAME).exists():
        return ok(NAME, "is there, and obeyed as Docker does")
    if project.build.dockerfile is None:
        return ok(NAME, "there is none: version control, virtual environments, caches and .env files stay out anyway")
    todo = "`mldeploy init` writes one that keeps out .git, virtual environments, caches and secrets."
    return warning(NAME, f"there is none, so everything in the folder is sent to {project.build.dockerfile}", todo)


def _weight(found: Content) -> Finding:
    largest = sorted(found.sizes.items(), key=lambda entry: -entry[1])[:SHOWN]
    named = ", ".join(f"{path} ({megabytes(count)})" for path, count in largest)
    what = f"{megabytes(sum(found.sizes.values()))} in {len(found.sizes)} files"
    what += f"; the largest: {named}" if named else ""
    if found.beside_models < HEAVY:
        return ok("context", what)
    todo = f"Keep out what the app does not read, with lines in {NAME}; name models in `models` in [app]."
    return warning("context", what, todo)


def _unwanted(found: Content) -> Iterator[Finding]:
    tree = scan(found.project.app.folder)
    own = dockerfile.find(tree)
    remarks = [
        *secrets(tree, own, found.sizes.__contains__),
        *bulk(tree, found.sizes.__contains__, lambda _: False),
    ]
    yield from map(_finding, filter(lambda remark: _concerns_image(remark, found, own), remarks))


def _concerns_image(remark: Remark, found: Content, own: dockerfile.Dockerfile | None) -> bool:
    """A file that gets into it, a folder of which something does, or the recipe itself."""
    path = remark.source.path
    inside = any(each == path or each.startswith(f"{path}/") for each in found.sizes)
    return inside or (own is not None and path == own.path and found.project.build.dockerfile == path)


def _finding(remark: Remark) -> Finding:
    return warning(str(remark.source), remark.what, remark.todo)
