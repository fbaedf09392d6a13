"""Which commit a deployment comes from, and who made it: recorded by `deploy`, shown by `status` and `history`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mldeploy.cli.deployment import AppDeployment
from mldeploy.config.deployment_records import DeploymentRecord, describe_deployer, read_records, record_deployment
from mldeploy.core.errors import MldeployError
from mldeploy.image.engine import Engine
from mldeploy.image.image_info import find_image
from mldeploy.image.registry.client import RegistryClient
from mldeploy.image.source import SourceState, read_source_state, source_of_labels
from mldeploy.providers.base import Release, Service
from mldeploy.providers.capabilities import Registry
from mldeploy.providers.errors import WrongTargetError

ASKED = 10
"""Releases whose image is looked up. Older ones are shown without their commit."""


def record_source(deployment: AppDeployment, image: str, source: SourceState | None = None) -> None:
    """Record a deployment that succeeded. source: of a promoted image; None for the state of the folder."""
    state = read_source_state(deployment.project.app.folder) if source is None else source
    who, time = describe_deployer()
    record = DeploymentRecord(image, state.commit, state.dirty, state.branch, who, time)
    record_deployment(deployment.state, deployment.scope, record)


def find_serving(service: Service) -> Release | None:
    """Return the release that serves; None if there is none, or if the target keeps no releases."""
    try:
        return next((each for each in service.releases() if each.state == "serving"), None)
    except WrongTargetError:
        return None


def find_source(deployment: AppDeployment, release: Release) -> SourceState:
    """Return the source of a release: as recorded, or as the labels of its image say."""
    (release_source,) = with_sources(deployment, (release,))
    return SourceState(release_source.commit, release_source.dirty, release_source.branch)


def with_sources(deployment: AppDeployment, releases: Sequence[Release]) -> tuple[Release, ...]:
    """Return the releases with their commits. One of another machine has what the labels of its image say."""
    records = {each.image: each for each in read_records(deployment.state, deployment.scope)}
    return tuple(
        _with_source(deployment, each, records.get(each.image), may_ask=number < ASKED)
        for number, each in enumerate(releases)
    )


def _with_source(
    deployment: AppDeployment, release: Release, record: DeploymentRecord | None, *, may_ask: bool
) -> Release:
    if record is not None:
        return replace(
            release,
            commit=record.commit,
            dirty=record.dirty,
            branch=record.branch,
            deployed_by=release.deployed_by or record.deployed_by,
        )
    if release.commit or not may_ask:
        return release
    source = _read_labels(deployment, release.image)
    return replace(release, commit=source.commit, dirty=source.dirty, branch=source.branch)


def _read_labels(deployment: AppDeployment, reference: str) -> SourceState:
    """Read an image's labels from the engine or its registry; nothing if neither can be reached."""
    try:
        engine = getattr(deployment.cloud, "engine", None)  # that of another package's target may have none
        if isinstance(engine, Engine) and (info := find_image(engine, reference)):
            return source_of_labels(info.labels)
        name, _, digest = reference.partition("@")
        if not digest or not isinstance(deployment.provider, Registry):
            return SourceState()
        with RegistryClient(deployment.login().registry) as registry:
            image = registry.image(name.partition("/")[2], digest)
        return source_of_labels(image.labels) if image else SourceState()
    except MldeployError:
        return SourceState()


def format_source(release: Release) -> str:
    """`1a2b3c4d5e6f (with changes) on main, deployed by user@machine`; "" if nothing is known."""
    changes = " (with changes)" if release.dirty else ""
    commit = f"commit {release.commit[:12]}{changes}" if release.commit else ""
    branch = f"on {release.branch}" if release.branch else ""
    where = " ".join(filter(None, (commit, branch)))
    return ", ".join(filter(None, (where, release.deployed_by and f"deployed by {release.deployed_by}")))
