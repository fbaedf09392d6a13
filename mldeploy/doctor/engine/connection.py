"""The connection to the engine: its selection, and what to do if it does not answer."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from docker import APIClient
from docker.context.config import get_current_context_name
from docker.credentials.constants import PROGRAM_PREFIX
from docker.errors import DockerException
from docker.utils.config import find_config_file
from requests.exceptions import RequestException, Timeout

from mldeploy.core.files import read_text
from mldeploy.core.parsing import parse_json
from mldeploy.doctor.runner import NOT_CHECKED, run
from mldeploy.image.errors import EngineError, error_number
from mldeploy.providers.capabilities import Finding, error, ok, warning

SUBJECT = "engine"


def report_unreachable(problem: EngineError) -> Finding:
    """Return the finding for an error of `Engine.connect`. Looks for other engines.

    An error, or a warning if the engine listens, but did not answer in time.
    """
    why = f", {selection_reason()}" if "://" in problem.where else ""
    what = f"{problem.where}{why}: {problem.what}"
    number = error_number(problem)
    todo = problem.todo
    if number in (errno.EACCES, errno.EPERM):
        todo = _group_hint(problem.where.removeprefix("unix://")) or todo
    elif number in (errno.ENOENT, errno.ECONNREFUSED):
        todo = "Start it, or unset DOCKER_HOST." if os.environ.get("DOCKER_HOST") else _start_hint() or todo
    if other := find_other_engine(other_than=problem.where):
        todo = f"{todo}\nAnother engine answers; to use it: `export DOCKER_HOST={other}`.".lstrip()
    if _is_timeout(problem):
        return warning(SUBJECT, f"{NOT_CHECKED}: {what}", todo)
    return error(SUBJECT, what, todo)


def _is_timeout(problem: BaseException | None) -> bool:
    while problem is not None and not isinstance(problem, TimeoutError | Timeout):
        problem = problem.__cause__ or problem.__context__
    return problem is not None


def _group_hint(path: str) -> str:
    """Return what to do if the user is in the socket's group, but not yet in this session."""
    try:
        status = Path(path).stat()
        group, user = grp.getgrgid(status.st_gid), pwd.getpwuid(os.getuid()).pw_name
    except (OSError, KeyError):
        return ""
    if not status.st_mode & stat.S_IWGRP or user not in group.gr_mem or status.st_gid in os.getgroups():
        return ""
    name = group.gr_name
    return f"You belong to the group {name}, but not yet in this session: log in again, or `newgrp {name}`."


def _start_hint() -> str:
    """Return how to start an installed engine; "" if none is installed."""
    commands = list(_start_commands())
    return f"Start it: {', or '.join(commands)}." if commands else ""


def _start_commands() -> Iterator[str]:
    if sys.platform == "darwin":
        for name in ("Docker", "OrbStack", "Rancher Desktop"):
            if Path(f"/Applications/{name}.app").exists():
                yield f"`open -a '{name}'`"
    if shutil.which("colima"):
        yield "`colima start`"
    if shutil.which("dockerd"):
        yield "`sudo systemctl start docker`" if Path("/run/systemd/system").is_dir() else "`sudo dockerd`"
    if shutil.which("podman"):
        yield "`podman machine start`" if sys.platform == "darwin" else "`systemctl --user start podman.socket`"


PING_SECONDS = 1.0


def selection_reason(environment: Mapping[str, str] = os.environ) -> str:
    """Return why this engine is selected, in the docker command's order of precedence; completes "…, ".

    https://docs.docker.com/engine/manage-resources/contexts/
    """
    current = get_current_context_name()
    if environment.get("DOCKER_HOST"):
        context = environment.get("DOCKER_CONTEXT") or current
        over = f", which overrides the context {context!r}" if context != "default" else ""
        return f"from DOCKER_HOST{over}"
    if environment.get("DOCKER_CONTEXT"):
        return f"the context {environment['DOCKER_CONTEXT']!r}, from DOCKER_CONTEXT"
    return f"the current context {current!r}" if current != "default" else "the default socket"


def find_other_engine(*, other_than: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """Return the endpoint of another engine that answers, or None. Takes at most a second per endpoint."""
    endpoints = (f"unix://{path}" for path in _known_sockets(environment) if _is_socket(path))
    return next((each for each in endpoints if each != other_than and _ping(each)), None)


def _is_socket(path: Path) -> bool:
    """Whether there is a socket, in folders that the user may search: /run/podman is often root's alone."""
    try:
        return path.is_socket()
    except OSError:
        return False


def _known_sockets(environment: Mapping[str, str]) -> Iterator[Path]:
    """Yield the default sockets of known engines."""
    home, run = Path.home(), Path(environment.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
    yield Path("/var/run/docker.sock")
    yield home / ".docker/run/docker.sock"  # Docker Desktop on macOS
    yield home / ".docker/desktop/docker.sock"  # Docker Desktop on Linux
    yield run / "docker.sock"  # rootless
    yield home / ".orbstack/run/docker.sock"
    yield home / ".colima/default/docker.sock"
    yield home / ".config/colima/default/docker.sock"
    yield home / ".rd/docker.sock"  # Rancher Desktop
    yield run / "podman/podman.sock"
    yield Path("/run/podman/podman.sock")


def _ping(endpoint: str) -> bool:
    try:
        client = APIClient(endpoint, timeout=PING_SECONDS)  # type: ignore[arg-type]  # requests takes fractions
        client.close()
    except (DockerException, RequestException, OSError, ValueError):
        return False
    return True


CREDENTIALS_SUBJECT = "credentials"


def check_credentials() -> Iterator[Finding]:
    """Check Docker's configuration file and its credential helpers.

    https://docs.docker.com/reference/cli/docker/login/#credential-stores
    """
    path = docker_config_file()
    if path is None:
        return
    try:
        config = parse_json(read_text(path, encoding="utf-8"))
    except (OSError, ValueError) as problem:
        yield warning(CREDENTIALS_SUBJECT, f"{path} cannot be read: {problem}", "Correct it or remove it.")
        return
    yield from _check_helpers(config if isinstance(config, dict) else {}, path)


def _check_helpers(config: Mapping[str, object], path: Path) -> Iterator[Finding]:
    store, by_registry = config.get("credsStore"), config.get("credHelpers")
    if isinstance(store, str) and store:
        yield _check_store(f"{PROGRAM_PREFIX}{store}", f"Install or repair it, or remove `credsStore` from {path}.")
    for registry, name in by_registry.items() if isinstance(by_registry, dict) else ():
        program = f"{PROGRAM_PREFIX}{name}"
        if shutil.which(program) is None:
            what = f"{program} is not installed: nothing can be pulled from or pushed to {registry}"
            yield warning(CREDENTIALS_SUBJECT, what, f"Install it, or remove {registry} from `credHelpers` in {path}.")
        else:
            yield ok(CREDENTIALS_SUBJECT, f"{program}, for {registry}")


def _check_store(program: str, todo: str) -> Finding:
    """Check the store for all registries with `list`. A helper for one registry need not support that."""
    path = shutil.which(program)
    if path is None:
        return warning(CREDENTIALS_SUBJECT, f"{program} is not installed", todo)
    try:
        run(path, "list")
    except subprocess.TimeoutExpired:
        return warning(CREDENTIALS_SUBJECT, f"{program} does not answer: it may be waiting for a password", todo)
    except (OSError, subprocess.SubprocessError) as problem:
        return warning(CREDENTIALS_SUBJECT, f"{program} fails: {_failure_text(problem)}", todo)
    return ok(CREDENTIALS_SUBJECT, f"{program} answers")


def _failure_text(problem: Exception) -> str:
    """Return a helper's error message, from its stdout (docker-credential-helpers), or the system's."""
    if isinstance(problem, subprocess.CalledProcessError):
        lines = f"{problem.stdout}\n{problem.stderr}".split("\n")
        return next((line.strip() for line in lines if line.strip()), f"exit code {problem.returncode}")
    return getattr(problem, "strerror", None) or str(problem)


def docker_config_file() -> Path | None:
    """Return `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`; None if there is none."""
    path = find_config_file()
    return Path(str(path)) if path else None
