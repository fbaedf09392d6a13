"""The SBOM of our own release: what a plain installation of the wheel brings along."""

import hashlib
import json
import subprocess
from dataclasses import replace
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.component import Component, ComponentType
from packageurl import PackageURL

from mldeploy.check.inspection import INSPECTOR, Distribution, ImageInspection
from mldeploy.check.sbom import render_components


def render_release_sbom(python: Path, wheel: Path) -> str:
    """The document. python: the interpreter of an environment with the wheel and what it requires."""
    inspection = inspect_environment(python)
    ours = inspection.installed["mldeploy"]
    url = PackageURL("pypi", None, ours.normalized, ours.version)
    root = Component(
        name=ours.name,
        version=ours.version,
        type=ComponentType.APPLICATION,
        purl=url,
        bom_ref=url.to_string(),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=hashlib.sha256(wheel.read_bytes()).hexdigest())],
    )
    others = tuple(each for each in inspection.distributions or () if each.normalized != ours.normalized)
    return render_components(root, replace(inspection, distributions=others))


def inspect_environment(python: Path) -> ImageInspection:
    """Run the program that lists the distributions of an image, here."""
    command = [str(python), "-c", INSPECTOR.read_text(encoding="utf-8"), "[]"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    facts = {name: value for line in output.splitlines() for name, value in json.loads(line).items()}
    distributions = tuple(
        Distribution(each["name"], each["version"], each["license"], tuple(each["requires"]))
        for each in facts["distributions"]
    )
    return ImageInspection(facts["python"], facts["machine"], distributions)
