"""The requirements file for a folder that lists its dependencies in another way."""

from __future__ import annotations

from mldeploy.project.detect.dependency import Origin
from mldeploy.project.detect.folder import Folder


def requirements(folder: Folder) -> str | None:
    """The text of a requirements file; None where there is one, or where a Dockerfile of the folder's own decides."""
    listed = folder.dependencies
    if folder.dockerfile or (listed and listed.origin is Origin.REQUIREMENTS):
        return None
    if listed is None:
        return "# Nothing: the app imports nothing but Python's own library.\n"
    source = listed.path or "the imports of the source, at the versions that are installed here"
    needed = (each.requirement for each in listed.dependencies)
    return "\n".join([f"# By mldeploy, from {source}.", *needed]) + "\n"
