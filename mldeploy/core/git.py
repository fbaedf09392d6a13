"""Run git without starting any other program, and never on the repository of the calling process.

A repository is untrusted input. Its own configuration (`.git/config`) can name programs: hooks, a file system monitor,
filters, and a remote that is fetched from when an object is missing. None of them is run. Variables inherited from the
environment can name another repository (a hook has GIT_DIR set). They are not passed on.
"""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

_KEPT = frozenset(
    {
        # How the user's own git authenticates and reaches a host.
        "GIT_ASKPASS",
        "GIT_SSH",
        "GIT_SSH_COMMAND",
        "GIT_SSH_VARIANT",
        "GIT_SSL_CAINFO",
        "GIT_SSL_CAPATH",
        "GIT_SSL_CERT",
        "GIT_SSL_CERT_PASSWORD_PROTECTED",
        "GIT_SSL_CIPHER_LIST",
        "GIT_SSL_KEY",
        "GIT_SSL_NO_VERIFY",
        "GIT_SSL_VERSION",
        "GIT_PROXY_SSL_CAINFO",
        "GIT_PROXY_SSL_CERT",
        "GIT_PROXY_SSL_KEY",
        # Where the user's own configuration is: CI systems keep credentials in such a file.
        "GIT_CONFIG_GLOBAL",
        "GIT_CONFIG_SYSTEM",
        "GIT_CONFIG_NOSYSTEM",
        "GIT_CEILING_DIRECTORIES",
        "GIT_DISCOVERY_ACROSS_FILESYSTEM",
    }
)
"""Every other GIT_ variable is dropped, among them all that `git rev-parse --local-env-vars` lists, GIT_EXEC_PATH (git
knows its own), GIT_TEMPLATE_DIR (a template holds hooks) and GIT_TRACE (a trace of HTTP holds credentials)."""

_SETTINGS = (
    ("core.hooksPath", os.devnull),
    ("core.fsmonitor", "false"),
    ("core.pager", "cat"),
    ("core.protectHFS", "true"),
    ("core.protectNTFS", "true"),
    ("submodule.recurse", "false"),
    ("fetch.recurseSubmodules", "false"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("init.templateDir", ""),
    ("safe.bareRepository", "explicit"),  # a folder of a repository can have the shape of a bare one, and its config
)

NO_PROTOCOL = "none"
"""In GIT_ALLOW_PROTOCOL: git may fetch from nowhere, which it would do for a missing object of a partial clone."""


def run_git(
    *words: str, seconds: float, folder: Path | None = None, protocols: Collection[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Run one git command, without a terminal, and return its exit code and output; whatever the code is.

    It is run on one repository: a command that would run git in submodules, whose configuration is not read here, gets
    an option against it from the caller.

    folder: the working tree, None for a command that needs no repository. protocols: what it may fetch with. What comes
    from outside stands behind `--end-of-options` or `--` in `words`: the caller sees to that. Raises FileNotFoundError
    if git is not installed, subprocess.TimeoutExpired after `seconds`.
    """
    if folder is None:
        return _run(words, seconds, _SETTINGS, protocols)
    known = _run(["-C", str(folder), *_FILTERS], seconds, _SETTINGS, (), errors="surrogateescape")
    if known.returncode > 1:  # 1: there are no filters; above: they are not known, so nothing may run
        return known
    return _run(["-C", str(folder), *words], seconds, [*_SETTINGS, *_filters_off(known.stdout)], protocols)


_OF_THE_USER = frozenset({"system", "global", "command"})
"""Scopes of git's configuration that no repository can write."""
_FILTERS = ("config", "--includes", "--show-scope", "--null", "--name-only", "--get-regexp", r"^filter\.")


def _filters_off(scopes_and_names: str) -> Iterator[tuple[str, str]]:
    """Settings that switch off the filters which the repository's own configuration defines, not those of the user.

    The repository has two files of its own: `config`, and with `extensions.worktreeConfig` also `config.worktree`.
    """
    words = scopes_and_names.split("\0")
    own = (key for scope, key in zip(words[::2], words[1::2], strict=False) if scope not in _OF_THE_USER)
    for name in sorted({key.rpartition(".")[0] for key in own}):
        yield from ((f"{name}.{each}", "") for each in ("clean", "smudge", "process"))
        yield f"{name}.required", "false"


def _run(
    words: Sequence[str],
    seconds: float,
    settings: Collection[tuple[str, str]],
    protocols: Collection[str],
    *,
    errors: str = "replace",
) -> subprocess.CompletedProcess[str]:
    """errors: of decoding. The names of filters are handed back to git, byte for byte."""
    try:
        return subprocess.run(
            ["git", *words], env=git_environment(os.environ, settings, protocols), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, errors=errors, timeout=seconds, check=False,
        )  # fmt: skip
    except OSError as error:
        if error.errno != errno.E2BIG:
            raise
        message = "fatal: its configuration has more filters than can be switched off"
        return subprocess.CompletedProcess(["git", *words], 128, "", message)


def is_dropped(name: str) -> bool:
    """Whether a variable of the calling process is not passed on to git."""
    return name.startswith("GIT_") and name not in _KEPT


def git_environment(
    environment: Mapping[str, str], settings: Collection[tuple[str, str]] = _SETTINGS, protocols: Collection[str] = ()
) -> dict[str, str]:
    """The environment for git. settings: above every configuration file, as variables: no argument, no quoting."""
    kept = {name: value for name, value in environment.items() if not is_dropped(name)}
    # Nobody can answer a question: what needs an answer fails, and says so.
    if not {"GIT_SSH", "GIT_SSH_COMMAND"} & kept.keys():
        kept["GIT_SSH_COMMAND"] = "ssh -oBatchMode=yes"
    kept |= {
        "GIT_ALLOW_PROTOCOL": ":".join(sorted(protocols)) or NO_PROTOCOL,
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_COUNT": str(len(settings)),
        "LC_ALL": "C",
    }
    for number, (key, value) in enumerate(settings):
        kept |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return kept
