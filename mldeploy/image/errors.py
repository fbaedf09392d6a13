"""What can go wrong between us and the Docker Engine, and how the engine's own words become ours."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from docker.errors import APIError, DockerException
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from mldeploy.core.errors import ExitCode, MldeployError


class EngineError(MldeployError):
    """No engine answers, it is not permitted, its disk is full, or it answered something that it should not."""

    code = ExitCode.ENGINE


class BuildError(MldeployError):
    """The image does not build, or what was built is not what was asked for."""

    code = ExitCode.BUILD


def explanation(error: Exception) -> str:
    """What the engine said, in one line."""
    said = error.explanation if isinstance(error, APIError) and error.explanation else str(error)
    return " ".join(str(said).split())


@contextmanager
def engine_errors(where: str) -> Iterator[None]:
    """Turn whatever a call to the engine raises into an EngineError about `where`. Our own errors pass unchanged."""
    try:
        yield
    except (DockerException, RequestException, HTTPError, OSError) as error:
        raise engine_error(where, error) from error


def engine_error(where: str, error: Exception) -> EngineError:
    """The EngineError for what a call to the engine raised."""
    said = explanation(error)
    if is_disk_full(said) or error_number(error) == errno.ENOSPC:
        return disk_full(where)
    if isinstance(error, APIError):
        return EngineError(where, f"the engine answered: {said}")
    todo = "See whether it still runs: `docker info`."
    return EngineError(where, f"the connection to the engine broke: {said}", todo)


def is_disk_full(said: str) -> bool:
    """Whether what the engine, or a program in a build, said means a full disk (ENOSPC's text)."""
    return "no space left on device" in said.lower()


def disk_full(where: str) -> EngineError:
    """The engine's disk (or ours) is full."""
    todo = "Free some: `mldeploy images --prune`, `docker system df` says what takes the space."
    return EngineError(where, "the disk is full", todo)


def error_number(error: BaseException | None) -> int | None:
    """The operating system's error number at the bottom of a chain of exceptions."""
    while error is not None:
        if isinstance(error, OSError) and error.errno:
            return error.errno
        error = error.__cause__ or error.__context__
    return None
