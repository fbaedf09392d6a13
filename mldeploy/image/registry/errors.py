"""What can go wrong between us and a registry."""

from __future__ import annotations

from mldeploy.core.errors import ExitCode, MldeployError


class RegistryError(MldeployError):
    """A registry did not answer as it should, or refuses, or holds something else than it should."""

    code = ExitCode.REMOTE


class DockerConfigError(MldeployError):
    """Docker's own configuration file, or the program that keeps its passwords, cannot be used."""

    code = ExitCode.CONFIG
