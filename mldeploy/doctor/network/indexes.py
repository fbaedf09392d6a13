"""Which package indexes a build would ask: what its arguments, base image and requirements name, else pip's own."""

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
from mldeploy.doctor.command import output
from mldeploy.image.requirements import requirement_files

PIP, UV = ("PIP_INDEX_URL",), ("UV_DEFAULT_INDEX", "UV_INDEX_URL")
MORE = ("PIP_EXTRA_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL")
"""The variables of pip and uv: one index, or several with spaces between them, each perhaps `name=url`.

https://pip.pypa.io/en/stable/topics/configuration/, https://docs.astral.sh/uv/reference/environment/
"""

_OPTION = re.compile(r"\s*(?:-i|--index-url|--extra-index-url)[\s=]+(\S+)")
_NAME = re.compile(r"^[\w.-]+=(?=http)")
_DEFAULT = re.compile(r"\(\s*(?:by )?default:?\s+<?(https?://[^\s<>()]+)")


@dataclass(frozen=True)
class Index:
    """url: as it is asked, perhaps with credentials. source: who names it. is_extra: it need not have everything."""

    url: str
    source: str
    is_extra: bool = False


def indexes(project: Project, base_environment: Mapping[str, str]) -> tuple[Index, ...]:
    """Each index once. Empty if not even pip's own default can be found out."""
    variables = dict(base_environment) | dict(project.build.args)
    requirements = list(_of_requirements(project))
    found = [*_of_settings(project.build), *_of_variables(variables), *requirements]
    # Both install: pip brings uv, and uv the rest. Whichever is told nothing asks its default.
    is_set = project.build.index is not None
    pip_is_told = is_set or any(variables.get(name) for name in PIP)
    uv_is_told = is_set or any(variables.get(name) for name in UV) or any(not each.is_extra for each in requirements)
    if not (pip_is_told and uv_is_told) and (default := default_index()):
        found.append(Index(default, "the default"))
    return tuple({each.url.rstrip("/"): each for each in reversed(found)}.values())[::-1]


def _of_settings(build: Build) -> Iterator[Index]:
    if build.dockerfile is None:  # one of the user's own knows nothing of them
        yield from ([Index(build.index.reveal(), "build.index_url")] if build.index else ())
        yield from (Index(each.reveal(), "build.extra_index_urls", is_extra=True) for each in build.extra_indexes)


def _of_variables(variables: Mapping[str, str]) -> Iterator[Index]:
    for name in (*PIP, *UV, *MORE):
        for word in variables.get(name, "").split():
            yield Index(_NAME.sub("", word), name, is_extra=name in MORE)


def _of_requirements(project: Project) -> Iterator[Index]:
    """What the requirements files say themselves; one that cannot be read is the folder's problem."""
    if project.build.dockerfile is not None:
        return
    try:
        files = requirement_files(project.app.folder, project.build.requirements)
        texts = [(each.path, b"".join(each.chunks())) for each in files if each.path.endswith(".txt")]
    except MldeployError:
        return
    for path, text in texts:
        for line in text.decode(errors="replace").splitlines():
            if match := _OPTION.match(line):
                yield Index(match[1], path, is_extra="extra" in line)


def default_index() -> str:
    """What pip and uv ask when nobody says otherwise, as their own help says; "" if neither is here to say it."""
    texts = (output(*command, "install", "--help") for command in _installers())
    return next((match[1] for text in texts if (match := _DEFAULT.search(text))), "")


def machines_index(environment: Mapping[str, str] = os.environ) -> str:
    """What this machine's own pip or uv asks instead of the default, "" if nothing is configured.

    pip's files are read here, since pip itself takes a second to say what is in them.
    https://pip.pypa.io/en/stable/topics/configuration/#location
    """
    for name in (*UV, *PIP):
        if environment.get(name):
            return environment[name]
    parser = configparser.RawConfigParser()
    with contextlib.suppress(configparser.Error, UnicodeDecodeError):  # pip itself will complain
        parser.read(_pip_files(environment), encoding="utf-8")
    return parser.get("install", "index-url", fallback="") or parser.get("global", "index-url", fallback="")


def _pip_files(environment: Mapping[str, str]) -> Iterator[Path]:
    """The weakest first."""
    yield site_config_path("pip", appauthor=False) / "pip.conf"
    yield Path("/etc/pip.conf")
    yield Path("~/.pip/pip.conf").expanduser()
    yield user_config_path("pip", appauthor=False) / "pip.conf"
    yield Path(environment.get("PIP_CONFIG_FILE") or os.devnull)


def _installers() -> Iterator[tuple[str, ...]]:
    """uv first: it says it in a tenth of the time."""
    if uv := shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent)):
        yield (uv, "pip")
    yield (sys.executable, "-m", "pip")  # where mldeploy was installed without it, there is the user's
    if pip := shutil.which("pip3") or shutil.which("pip"):
        yield (pip,)
