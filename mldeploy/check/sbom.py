"""The bill of materials of an image: the distributions that its Python has installed, in CycloneDX 1.6.

Needs the extra `sbom`.
"""

from __future__ import annotations

from collections.abc import Iterator

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from mldeploy import __version__
from mldeploy.check.inspection import Distribution, ImageInspection
from mldeploy.check.libraries import marker_environment
from mldeploy.image.types import Image
from mldeploy.project.detect.dependencies.dependency import marker_applies


def render_sbom(app: str, image: Image, inspection: ImageInspection) -> str:
    """The document as JSON. Standard: CycloneDX 1.6 (ECMA-424). Its serial number and time are new each time."""
    root = Component(
        name=app,
        version=image.reference.rpartition(":")[2],
        type=ComponentType.CONTAINER,
        bom_ref=image.digest,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=image.digest.removeprefix("sha256:"))],
    )
    return render_components(root, inspection)


def render_components(root: Component, inspection: ImageInspection) -> str:
    """The document of what holds the inspected Python: an image, or our own release (`scripts.package`)."""
    bom = Bom()
    bom.metadata.component = root
    bom.metadata.tools.components.add(Component(name="mldeploy", version=__version__, type=ComponentType.APPLICATION))
    python = _python(inspection)
    components = {name: _component(each) for name, each in sorted(inspection.installed.items())}
    for component in (python, *components.values()):
        bom.components.add(component)
    bom.register_dependency(root, [python, *components.values()])
    for name, each in inspection.installed.items():
        bom.register_dependency(components[name], [components[need] for need in _needs(each, inspection)])
    return str(JsonV1Dot6(bom).output_as_string(indent=2)) + "\n"


def _python(inspection: ImageInspection) -> Component:
    version = inspection.python
    url = PackageURL("generic", None, "python", version)
    return Component(name="python", version=version, type=ComponentType.PLATFORM, purl=url, bom_ref=url.to_string())


def _component(each: Distribution) -> Component:
    url = PackageURL("pypi", None, each.normalized, each.version)
    licenses = [LicenseFactory().make_from_string(each.license)] if each.license else []
    return Component(
        name=each.name,
        version=each.version,
        type=ComponentType.LIBRARY,
        purl=url,
        bom_ref=url.to_string(),
        licenses=licenses,
    )


def _needs(each: Distribution, inspection: ImageInspection) -> Iterator[str]:
    """The normalized names of what it requires and the image has; what only an extra asks for is left out."""
    for text in each.requires:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        name = canonicalize_name(requirement.name)
        if name in inspection.installed and marker_applies(
            str(requirement.marker or ""), marker_environment(inspection)
        ):
            yield name
