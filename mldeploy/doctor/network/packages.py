"""Package indexes: which ones a build uses, and whether builds and this machine can reach them."""

from __future__ import annotations

import configparser
import contextlib
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from platformdirs import site_config_path, user_config_path

from mldeploy.config.settings import Build, Project
from mldeploy.core.errors import MldeployError
from mldeploy.core.files import read_text
from mldeploy.doctor.context import without_credentials
from mldeploy.doctor.network import proxies
from mldeploy.doctor.network.http_probe import (
    PROBE_SECONDS,
    ConnectionPhase,
    ConnectionSettings,
    ProbeError,
    ServerReply,
    probe_result,
    probe_url,
    suggest_fix,
)
from mldeploy.doctor.runner import NOT_CHECKED, BackgroundValue, run_quietly
from mldeploy.image.build_inputs import REQUIREMENTS, list_requirement_members
from mldeploy.image.builders.build_request import Trust, context, machine_bundles
from mldeploy.image.recipe.requirements import read_requirement_text
from mldeploy.providers.capabilities import Finding, Level, ok, warning

SUBJECT = "packages"
INSTALLER = "uv"
"""The package that the recipe installs first: every index must provide it."""


@dataclass(frozen=True)
class IndexProbe:
    """The results of probing an index. build: with a build's settings. machine: with this machine's settings."""

    index: IndexUrl
    build: ServerReply | ProbeError
    machine: ServerReply | ProbeError
    proxy: str = ""
    """This machine's proxy, if a build has another one."""


class PendingIndexProbe:
    """The pending probes of an index, with both settings at once."""

    def __init__(self, index: IndexUrl, project: Project, endpoint: str) -> None:
        url = f"{index.url.rstrip('/')}/{INSTALLER}/"
        through, build = proxies.machine_proxy(url), proxies.build_proxy(url, project, endpoint)
        self._index = index
        self._proxy = through if through != build else ""
        self._build = BackgroundValue(lambda: _probe_index(url, Trust.BUILD, build, project), PROBE_SECONDS)
        self._machine = BackgroundValue(lambda: _probe_index(url, Trust.MACHINE, through, project), PROBE_SECONDS)

    def result(self) -> IndexProbe:
        return IndexProbe(
            self._index, probe_result(self._build), probe_result(self._machine), without_credentials(self._proxy)
        )


def _probe_index(url: str, trust: Trust, proxy: str, project: Project) -> ServerReply:
    bundle = None if project.build.dockerfile else project.build.ca_bundle  # only mldeploy's recipe uses it
    try:
        return probe_url(url, ConnectionSettings(context(trust, bundle), proxy))
    except OSError as problem:  # ssl.SSLError is one
        raise ProbeError(ConnectionPhase.TLS, f"a certificate file is invalid ({problem})") from problem


def check_index(probe: IndexProbe, project: Project) -> Finding:
    """Return the finding for one index."""
    where = f"{without_credentials(probe.index.url)} ({probe.index.source})"
    level = _level(probe.index, project)
    if isinstance(probe.build, ServerReply):
        return _check_response(where, probe, probe.build, project)
    if isinstance(probe.machine, ProbeError):
        if probe.build.timed_out:
            return warning(SUBJECT, f"{where}: {NOT_CHECKED}: {probe.build.what}", suggest_fix(probe.build))
        return Finding(SUBJECT, level, f"{where}: {probe.build.what}", suggest_fix(probe.build))
    if probe.build.untrusted:
        what = f"{where}: TLS is inspected; this machine trusts its certificate, but builds do not"
        return Finding(SUBJECT, level, what, _trust_hint(project))
    if probe.proxy:
        what = f"{where}: this machine uses the proxy {probe.proxy}, but builds do not use it: {probe.build.what}"
        return Finding(SUBJECT, level, what, f"Set the proxy for builds, too: {proxies.setting_location()}.")
    return warning(SUBJECT, f"{where}: {probe.build.what}; a second attempt succeeded", "The network is unstable.")


def _trust_hint(project: Project) -> str:
    """Return how to make builds trust this machine's certificates."""
    bundle = next(machine_bundles(), "company-ca.pem")
    if project.build.dockerfile:
        return f"Copy {bundle} in {project.build.dockerfile}, and set SSL_CERT_FILE and PIP_CERT to it."
    return f'Set `ca_bundle = "{bundle}"` in [build] of mldeploy.toml, or of your own config.toml.'


def _check_response(where: str, probe: IndexProbe, answer: ServerReply, project: Project) -> Finding:
    if answer.status in (401, 403):
        todo = "Set them in build.index_url, where `${NAME}` is a variable, or in a netrc file."
        return Finding(SUBJECT, _level(probe.index, project), f"{where} requires credentials ({answer.status})", todo)
    if answer.status >= 500:
        return warning(SUBJECT, f"{where} answers {answer.status}", "The server has a problem. Try again later.")
    if answer.status == 404 and _level(probe.index, project) is Level.ERROR:
        what = f"{where} has no package {INSTALLER}, which the recipe installs first"
        return Finding(SUBJECT, Level.ERROR, what, "Let it proxy the public index, or use one that does.")
    return ok(SUBJECT, f"{where} answers")


def _level(index: IndexUrl, project: Project) -> Level:
    """Return the level: a warning for extra indexes, and for custom Dockerfiles, which may not use the index."""
    return Level.WARNING if index.is_extra or project.build.dockerfile else Level.ERROR


PIP, UV = ("PIP_INDEX_URL",), ("UV_DEFAULT_INDEX", "UV_INDEX_URL")
MORE = ("PIP_EXTRA_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL")
"""The variables of pip and uv: one index, or several separated by spaces, each optionally `name=url`.

https://pip.pypa.io/en/stable/topics/configuration/, https://docs.astral.sh/uv/reference/environment/
"""

_OPTION = re.compile(r"\s*(?:-i|--index-url|--extra-index-url)[\s=]+(\S+)")
_NAME = re.compile(r"^[\w.-]+=(?=http)")
_DEFAULT = re.compile(r"\(\s*(?:by )?default:?\s+<?(https?://[^\s<>()]+)")


@dataclass(frozen=True)
class IndexUrl:
    """url: may contain credentials. source: where it is set. is_extra: an additional index."""

    url: str
    source: str
    is_extra: bool = False


def list_indexes(project: Project, base_environment: Mapping[str, str]) -> tuple[IndexUrl, ...]:
    """List each index once. Empty if pip's default is unknown."""
    variables = dict(base_environment) | dict(project.build.args)
    requirements = list(_of_requirements(project))
    urls = [*_of_settings(project.build), *_of_variables(variables), *requirements]
    # pip installs uv, and uv installs the rest. Either uses its default unless it is configured.
    is_set = project.build.index is not None
    pip_is_configured = is_set or any(variables.get(name) for name in PIP)
    uv_is_configured = (
        is_set or any(variables.get(name) for name in UV) or any(not each.is_extra for each in requirements)
    )
    if not (pip_is_configured and uv_is_configured) and (default := default_index()):
        urls.append(IndexUrl(default, "the default"))
    return tuple({each.url.rstrip("/"): each for each in reversed(urls)}.values())[::-1]


def _of_settings(build: Build) -> Iterator[IndexUrl]:
    if build.dockerfile is None:  # custom Dockerfiles do not use them
        yield from ([IndexUrl(build.index.reveal(), "build.index_url")] if build.index else ())
        yield from (IndexUrl(each.reveal(), "build.extra_index_urls", is_extra=True) for each in build.extra_indexes)


def _of_variables(variables: Mapping[str, str]) -> Iterator[IndexUrl]:
    for name in (*PIP, *UV, *MORE):
        for word in variables.get(name, "").split():
            yield IndexUrl(_NAME.sub("", word), name, is_extra=name in MORE)


def _of_requirements(project: Project) -> Iterator[IndexUrl]:
    """Yield the indexes in the requirements files. Another check reports unreadable files."""
    if project.build.dockerfile is not None:
        return
    try:
        files = list_requirement_members(project.app.folder, project.build)
        lists = [each for each in files if each.path.endswith((".txt", ".in"))]
        texts = [(each.path.removeprefix(REQUIREMENTS), read_requirement_text(each)) for each in lists]
    except MldeployError:
        return
    for path, text in texts:
        for line in text.splitlines():
            if match := _OPTION.match(line):
                yield IndexUrl(match[1], path, is_extra="extra" in line)


def default_index() -> str:
    """Return the default index of pip and uv, from their help; "" if neither is installed."""
    texts = (run_quietly(*command, "install", "--help") for command in _installers())
    return next((match[1] for text in texts if (match := _DEFAULT.search(text))), "")


def configured_index(environment: Mapping[str, str] = os.environ) -> str:
    """Return the configured index of this machine's pip or uv, "" without one.

    Reads pip's files directly, since pip takes a second to report them.
    https://pip.pypa.io/en/stable/topics/configuration/#location
    """
    for name in (*UV, *PIP):
        if environment.get(name):
            return environment[name]
    parser = configparser.RawConfigParser()
    for path in _pip_files(environment):
        with contextlib.suppress(configparser.Error, OSError):  # pip reports it
            parser.read_string(read_text(path, encoding="utf-8"), str(path))
    return parser.get("install", "index-url", fallback="") or parser.get("global", "index-url", fallback="")


def _pip_files(environment: Mapping[str, str]) -> Iterator[Path]:
    """Yield pip's configuration files, lowest precedence first."""
    yield site_config_path("pip", appauthor=False) / "pip.conf"
    yield Path("/etc/pip.conf")
    yield Path("~/.pip/pip.conf").expanduser()
    yield user_config_path("pip", appauthor=False) / "pip.conf"
    yield Path(environment.get("PIP_CONFIG_FILE") or os.devnull)


def _installers() -> Iterator[tuple[str, ...]]:
    """Yield the commands of uv and pip. uv is ten times faster."""
    if uv := shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent)):
        yield (uv, "pip")
    yield (sys.executable, "-m", "pip")  # may be missing in mldeploy's environment
    if pip := shutil.which("pip3") or shutil.which("pip"):
        yield (pip,)
