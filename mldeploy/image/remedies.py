"""What to do about a build that failed, told from what it printed last."""

from __future__ import annotations

import re

from mldeploy.image import libraries

_CERTIFICATE = "UnknownIssuer|CERTIFICATE_VERIFY_FAILED|invalid peer certificate|self.signed certificate"
_NETWORK = (
    "dns error|failed to lookup|name resolution|Network is unreachable|error sending request|Could not connect"
    "|Connection refused|No route to host|timed out|failed to create endpoint"
)
_CONTRADICTION = r"(?s)No solution found.*depends on.*unsatisfiable"
_REQUIREMENT = "No solution found|No matching distribution|not found in the package registry|no versions? of"
_COMPILER = r"Failed to build|Failed to download and build|command .?(gcc|cc|g\+\+)"
_PYTHON = "python3: (command )?not found|No module named (pip|venv)|no such file or directory.*python"
_BUILDKIT = "requires BuildKit|unknown flag|Unknown flag: (mount|chmod|link)"
_BASE = "pull access denied|manifest unknown|manifest for .* not found"

_TORCH = r"download\.pytorch\.org"

_UNAUTHORIZED = r"401 Unauthorized|403 Forbidden|\b(401|403)\b.*index|credentials"

_REMEDIES = {
    _UNAUTHORIZED: "The package index refuses the credentials: correct those that build.index_url, or a netrc file, "
    "gives.",
    _TORCH: "PyTorch's builds for the processor alone come from its own index, which could not be used, or has no such "
    "version: correct the requirement, or take the larger builds of the package index with `gpu = true` in [build].",
    "Unable to locate package|has no installation candidate|apt-get: (command )?not found": "Correct `system_packages` "
    "in [build]: the base image's distribution, which must be Debian or its like, has no such package.",
    _CERTIFICATE: "Something between the build and the package index inspects TLS: name its certificates in "
    "build.ca_bundle.",
    _NETWORK: "The build could not reach the network: check it, or the proxies in Docker's config.json.",
    "Git executable not found": "Take the package from an archive, which needs no git "
    "(`NAME @ https://…/archive/REF.zip`), or choose a base image that has git (build.base_image).",
    "Hash mismatch": "The index has another file than the requirements' hash says: correct the hash, or find out why.",
    _CONTRADICTION: "Correct the requirements: no versions meet all of them, for the reasons above.",
    _REQUIREMENT: "Correct the requirements: what they ask for does not exist, or not for this Python and platform.",
    _COMPILER: "A package has no wheel for this Python and platform, and the base image cannot compile it: choose a "
    "version that has one, or another base image (build.base_image).",
    "exec format error": "The engine cannot run programs for this platform: install QEMU's binfmt handlers, or change "
    "build.platform.",
    _PYTHON: "The base image must hold python3 with pip: choose another one (build.base_image).",
    _BUILDKIT: "This Dockerfile needs BuildKit: write it for the classic builder, or use mldeploy's own recipe.",
    _BASE: "The engine cannot get an image that the Dockerfile names: correct it, or log in with `docker login`.",
}
"""What the output says, the most telling first, and what to do about it."""


def remedy(output: str) -> str:
    """One sentence; empty if nothing is recognized."""
    known = next((todo for pattern, todo in _REMEDIES.items() if re.search(pattern, output, re.IGNORECASE)), "")
    return known or libraries.remedy(output)
