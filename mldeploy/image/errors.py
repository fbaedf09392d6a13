"""Errors of the Docker Engine and of builds."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from docker.errors import APIError, DockerException
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from mldeploy.core.errors import ExitCode, MldeployError, translate_exceptions


class EngineError(MldeployError):
    """The engine does not answer, denies access, has a full disk, or returned an error."""

    code = ExitCode.ENGINE


class BuildError(MldeployError):
    """The build failed, or its image is not the requested one."""

    code = ExitCode.BUILD


def explain_error(error: Exception) -> str:
    """Return the engine's message on one line."""
    text = error.explanation if isinstance(error, APIError) and error.explanation else str(error)
    return " ".join(str(text).split())


@contextmanager
def engine_errors(where: str) -> Iterator[None]:
    """Translate errors of calls to the engine into EngineError. Our own errors pass unchanged."""
    with translate_exceptions(
        (DockerException, RequestException, HTTPError, OSError), lambda error: engine_error(where, error)
    ):
        yield


def engine_error(where: str, error: Exception) -> EngineError:
    """Return the EngineError for an error of a call to the engine."""
    reason = explain_error(error)
    if is_disk_full(reason) or error_number(error) == errno.ENOSPC:
        return disk_full_error(where)
    if isinstance(error, APIError):
        return EngineError(where, f"the engine answered: {reason}")
    todo = "Check that it runs: `docker info`."
    return EngineError(where, f"the connection to the engine broke: {reason}", todo)


def is_disk_full(message: str) -> bool:
    """Whether a message means a full disk (ENOSPC)."""
    return "no space left on device" in message.lower()


def disk_full_error(where: str) -> EngineError:
    """Return the error for a full disk."""
    todo = "Free some: `mldeploy images --prune`, `docker system df` shows what uses the space."
    return EngineError(where, "the disk is full", todo)


def error_number(error: BaseException | None) -> int | None:
    """Return the operating system's error number in a chain of exceptions, or None."""
    while error is not None:
        if isinstance(error, OSError) and error.errno:
            return error.errno
        error = error.__cause__ or error.__context__
    return None
