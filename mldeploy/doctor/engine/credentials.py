"""The programs that keep registry passwords for Docker. mldeploy does without a broken one, the docker command not."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from docker.credentials.constants import PROGRAM_PREFIX

from mldeploy.doctor.command import answer
from mldeploy.doctor.docker_config import docker_config
from mldeploy.providers.checks import Finding, ok, warning

SUBJECT = "credentials"


def credentials() -> Iterator[Finding]:
    """Look at Docker's config file, and for the helpers that it names.

    https://docs.docker.com/reference/cli/docker/login/#credential-stores
    """
    path = docker_config()
    if path is None:
        return
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        yield warning(SUBJECT, f"{path} cannot be read: {problem}", "Correct it, or move it away.")
        return
    yield from _helpers(config if isinstance(config, dict) else {}, path)


def _helpers(config: Mapping[str, object], path: Path) -> Iterator[Finding]:
    store, by_registry = config.get("credsStore"), config.get("credHelpers")
    if isinstance(store, str) and store:
        yield _store(f"{PROGRAM_PREFIX}{store}", f"Install or repair it, or remove `credsStore` from {path}.")
    for registry, name in by_registry.items() if isinstance(by_registry, dict) else ():
        program = f"{PROGRAM_PREFIX}{name}"
        if shutil.which(program) is None:
            what = f"{program} is not installed: nothing can be pulled from or pushed to {registry}"
            yield warning(SUBJECT, what, f"Install it, or remove {registry} from `credHelpers` in {path}.")
        else:
            yield ok(SUBJECT, f"{program}, for {registry}")


def _store(program: str, todo: str) -> Finding:
    """The store for all registries can be asked for what it holds; a helper for one registry need not know how."""
    found = shutil.which(program)
    if found is None:
        return warning(SUBJECT, f"{program} is not installed", todo)
    try:
        answer(found, "list")
    except subprocess.TimeoutExpired:
        return warning(SUBJECT, f"{program} does not answer: it may be waiting for a password", todo)
    except (OSError, subprocess.SubprocessError) as problem:
        return warning(SUBJECT, f"{program} fails: {_said(problem)}", todo)
    return ok(SUBJECT, f"{program} answers")


def _said(problem: Exception) -> str:
    """A helper says on stdout what went wrong (docker-credential-helpers), or the system does."""
    if isinstance(problem, subprocess.CalledProcessError):
        lines = f"{problem.stdout}\n{problem.stderr}".split("\n")
        return next((line.strip() for line in lines if line.strip()), f"exit code {problem.returncode}")
    return getattr(problem, "strerror", None) or str(problem)
