"""The container that serves an app on this machine, and the one that is tried before it."""

from __future__ import annotations

from dataclasses import replace

from mldeploy.config.settings import App
from mldeploy.image.running.spec import ContainerSpec, ImageConfig, walled
from mldeploy.providers.local.settings import LocalSettings


def wanted(app: App, settings: LocalSettings, image: ImageConfig, host_port: int) -> ContainerSpec:
    """The container that serves the app."""
    return replace(
        walled(app, image),
        host=settings.host,
        host_port=host_port,
        pids_limit=settings.pids_limit,
        restart=settings.restart,
        stop_timeout=settings.stop_timeout,
    )


def candidate(spec: ContainerSpec) -> ContainerSpec:
    """The same container on a port that the engine chooses, for this machine alone."""
    return replace(unproven(spec), host="127.0.0.1", host_port=0)


def unproven(spec: ContainerSpec) -> ContainerSpec:
    """The same container, which stays dead when it dies: a verdict is wanted then, not another try."""
    return replace(spec, restart="no")
