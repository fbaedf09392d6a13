"""The list of the network's checks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mldeploy.doctor.context import DoctorContext, host_of, without_credentials
from mldeploy.doctor.network import images, packages
from mldeploy.doctor.network.http_probe import PROBE_SECONDS
from mldeploy.doctor.network.packages import configured_index
from mldeploy.doctor.network.probes import DISCOVERY_SECONDS, NetworkProbes
from mldeploy.doctor.network.proxies import check_proxies
from mldeploy.providers.capabilities import DoctorCheck, Finding, Level, ok, warning

SECONDS = DISCOVERY_SECONDS + PROBE_SECONDS + 1.0
"""Includes the look-up of a missing base image after its registry's probe."""


def network_checks(context: DoctorContext, network_probes: NetworkProbes) -> Sequence[DoctorCheck]:
    return (
        DoctorCheck("proxies", lambda: check_proxies(context.reading.project, context.machine.known)),
        DoctorCheck("base image", lambda: _images(context, network_probes), SECONDS),
        DoctorCheck("packages", lambda: _packages(context, network_probes), SECONDS),
    )


def _images(context: DoctorContext, network_probes: NetworkProbes) -> Iterator[Finding]:
    """Raises ProjectError, EngineError."""
    probes, project = network_probes.images, context.reading.project
    if project is None:
        return
    missing = set()
    for base in probes.bases:
        finding = images.check_base_image(base, project, context.machine.engine)
        if finding.level is not Level.OK:
            missing.add(base.registry)
        yield finding
    for url, asking in probes.registries.items():
        yield images.check_registry(url, asking, needed=url in missing)


def _packages(context: DoctorContext, network_probes: NetworkProbes) -> Iterator[Finding]:
    index_probes, project = network_probes.packages, context.reading.project
    if project is None:
        return
    if not index_probes:
        yield ok(packages.SUBJECT, "the index of builds is unknown: neither pip nor uv is installed here")
    yield from (packages.check_index(each, project) for each in index_probes)
    own = configured_index()
    if own and host_of(own) and host_of(own) not in {host_of(each.index.url) for each in index_probes}:
        what = f"pip on this machine uses {without_credentials(own)}, but builds do not"
        todo = "To use it in builds, set PIP_INDEX_URL and UV_DEFAULT_INDEX in [build.args] of mldeploy.toml."
        yield warning(packages.SUBJECT, what, todo)
