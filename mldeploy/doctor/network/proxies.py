"""Which proxy a question goes through: one of this machine, one of a build, one of the engine."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator, Mapping

import requests.utils
from docker.utils.config import load_general_config

from mldeploy.config.settings import Project
from mldeploy.doctor.docker_config import docker_config
from mldeploy.doctor.engine.facts import Facts
from mldeploy.doctor.text import host, is_loopback, without_credentials
from mldeploy.providers.checks import Finding, ok, warning

SUBJECT = "proxies"


def of_machine(url: str) -> str:
    """What programs on this machine go through (HTTPS_PROXY, NO_PROXY, the system's settings), "" for none."""
    try:
        return _whole(requests.utils.select_proxy(url, requests.utils.get_environ_proxies(url)) or "")
    except ValueError:  # it is no URL, as will be said when it is asked
        return ""


def of_build(url: str, project: Project, endpoint: str) -> str:
    """What a RUN instruction goes through: `[build.args]`, else Docker's config file. This machine's do not count.

    https://docs.docker.com/engine/cli/proxy/
    """
    settings, scheme = _settings(project, endpoint), url.partition("://")[0]
    straight = urllib.request.proxy_bypass_environment(host(url), {"no": settings["no"]})  # type: ignore[attr-defined]  # typeshed forgot it
    return "" if straight else _whole(settings.get(scheme, ""))


def _settings(project: Project, endpoint: str) -> dict[str, str]:
    """The proxies by scheme, and under "no" what goes straight."""
    told = load_general_config().get("proxies") or {}
    docker: Mapping[str, str] = told.get(endpoint) or told.get("default") or {}
    found = {scheme: docker.get(key, "") for scheme, key in _DOCKERS.items()}
    given = {name.lower(): value for name, value in project.build.args}
    return found | {scheme: given[f"{scheme}_proxy"] for scheme in found if f"{scheme}_proxy" in given}


_DOCKERS = {"http": "httpProxy", "https": "httpsProxy", "no": "noProxy"}


def _whole(proxy: str) -> str:
    return proxy if "://" in proxy or not proxy else f"http://{proxy}"


def proxies(project: Project | None, facts: Facts | None) -> Iterator[Finding]:
    """Say which are in force, and which cannot work."""
    machine = urllib.request.getproxies()
    yield ok(SUBJECT, f"this machine: {_shown(machine)}")
    if facts and facts.registries.proxy:
        yield ok(SUBJECT, f"the engine: {without_credentials(_whole(facts.registries.proxy))}")
    if project is None:
        return
    build = _settings(project, facts.endpoint if facts else "")
    if any(build.values()):
        yield ok(SUBJECT, f"builds: {_shown(build)}")
    for proxy in dict.fromkeys(_whole(build[scheme]) for scheme in ("https", "http") if build[scheme]):
        if is_loopback(host(proxy)):
            what = f"builds go through {without_credentials(proxy)}, and in a build that is the container itself"
            yield warning(SUBJECT, what, "Let it listen where containers reach it: the bridge's address, 172.17.0.1.")


def _shown(settings: Mapping[str, str]) -> str:
    found = dict.fromkeys(without_credentials(_whole(settings.get(scheme, ""))) for scheme in ("https", "http"))
    named = " and ".join(filter(None, found))
    straight = settings.get("no", "")
    return (named + (f", but not for {straight}" if straight else "")) if named else "none"


def setting() -> str:
    """Where a build's proxies are set."""
    path = docker_config() or "~/.docker/config.json"
    return f"`proxies` in {path} (https://docs.docker.com/engine/cli/proxy/), or HTTPS_PROXY in [build.args]"
