"""The proxies of this machine, of builds and of the engine."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator, Mapping

import requests.utils
from docker.utils.config import load_general_config

from mldeploy.config.settings import Project
from mldeploy.doctor.context import host_of, is_loopback, without_credentials
from mldeploy.doctor.engine.connection import docker_config_file
from mldeploy.doctor.engine.facts import Facts
from mldeploy.providers.capabilities import Finding, ok, warning

SUBJECT = "proxies"


def machine_proxy(url: str) -> str:
    """Return this machine's proxy for a URL (HTTPS_PROXY, NO_PROXY, system settings), "" for none."""
    try:
        return _with_scheme(requests.utils.select_proxy(url, requests.utils.get_environ_proxies(url)) or "")
    except ValueError:  # an invalid URL, which the probe reports
        return ""


def build_proxy(url: str, project: Project, endpoint: str) -> str:
    """Return a build's proxy for a URL: from `[build.args]`, else Docker's config file; not this machine's.

    https://docs.docker.com/engine/cli/proxy/
    """
    settings, scheme = _settings(project, endpoint), url.partition("://")[0]
    is_bypassed = urllib.request.proxy_bypass_environment(host_of(url), {"no": settings["no"]})  # type: ignore[attr-defined]  # typeshed forgot it
    return "" if is_bypassed else _with_scheme(settings.get(scheme, ""))


def _settings(project: Project, endpoint: str) -> dict[str, str]:
    """Return the proxies by scheme, and the exceptions as "no"."""
    config = load_general_config().get("proxies") or {}
    docker: Mapping[str, str] = config.get(endpoint) or config.get("default") or {}
    by_scheme = {scheme: docker.get(key, "") for scheme, key in _DOCKERS.items()}
    arguments = {name.lower(): value for name, value in project.build.args}
    return by_scheme | {scheme: arguments[f"{scheme}_proxy"] for scheme in by_scheme if f"{scheme}_proxy" in arguments}


_DOCKERS = {"http": "httpProxy", "https": "httpsProxy", "no": "noProxy"}


def _with_scheme(proxy: str) -> str:
    return proxy if "://" in proxy or not proxy else f"http://{proxy}"


def check_proxies(project: Project | None, facts: Facts | None) -> Iterator[Finding]:
    """Report the proxies in use, and those that cannot work."""
    machine = urllib.request.getproxies()
    yield ok(SUBJECT, f"this machine: {_format_proxies(machine)}")
    if facts and facts.registries.proxy:
        yield ok(SUBJECT, f"the engine: {without_credentials(_with_scheme(facts.registries.proxy))}")
    if project is None:
        return
    build = _settings(project, facts.endpoint if facts else "")
    if any(build.values()):
        yield ok(SUBJECT, f"builds: {_format_proxies(build)}")
    for proxy in dict.fromkeys(_with_scheme(build[scheme]) for scheme in ("https", "http") if build[scheme]):
        if is_loopback(host_of(proxy)):
            what = f"builds use {without_credentials(proxy)}, which in a build is the container itself"
            yield warning(
                SUBJECT, what, "Let it listen on an address that containers can reach: the bridge's, 172.17.0.1."
            )


def _format_proxies(settings: Mapping[str, str]) -> str:
    urls = dict.fromkeys(without_credentials(_with_scheme(settings.get(scheme, ""))) for scheme in ("https", "http"))
    named = " and ".join(filter(None, urls))
    excluded = settings.get("no", "")
    return (named + (f", but not for {excluded}" if excluded else "")) if named else "none"


def setting_location() -> str:
    """Return where a build's proxies are set."""
    path = docker_config_file() or "~/.docker/config.json"
    return f"`proxies` in {path} (https://docs.docker.com/engine/cli/proxy/), or HTTPS_PROXY in [build.args]"
