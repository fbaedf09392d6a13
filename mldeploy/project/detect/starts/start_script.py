"""Checks of the script that a Dockerfile starts: the kernel runs it only if it may, and if its first line is right."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from mldeploy.project.detect.findings import Detected, Remark, Severity, Source
from mldeploy.project.detect.starts.command import Command
from mldeploy.project.detect.starts.compose import FILES as COMPOSE_FILES
from mldeploy.project.detect.starts.dockerfile import Dockerfile
from mldeploy.project.detect.tree import Tree, TreeFile

_MENDS_LINES = re.compile(r"dos2unix|\\r|fromdos|autocrlf", re.IGNORECASE)
_BARE = re.compile(
    r"(?:docker\.io/)?(?:library/)?(?:python|pypy|debian|ubuntu|alpine|fedora|rockylinux|almalinux|"
    r"continuumio/\w+|condaforge/\w+|mambaorg/micromamba|nvidia/cuda|ghcr\.io/astral-sh/uv)(?:[:@]|$)"
)
"""Images without a server of their own."""
_MENDS_MODE = re.compile(r"chmod", re.IGNORECASE)


def check_start_script(tree: Tree, dockerfile: Dockerfile | None) -> Iterator[Remark]:
    """A script of the folder with Windows line ends, or without the permission to run, in ENTRYPOINT or CMD."""
    if dockerfile is None or not dockerfile.words or not dockerfile.command:
        return
    file, text = _find_script(tree, dockerfile.words[0]), _text(tree, dockerfile)
    if file is None:
        return
    first = tree.data(file, 256).partition(b"\n")[0]
    if first.startswith(b"#!") and first.endswith(b"\r") and not _MENDS_LINES.search(text):
        interpreter = first[2:].strip().decode(errors="replace")
        what = f"has Windows line ends, so that the container looks for a program named `{interpreter}\\r`"
        todo = "Save it with LF line ends, and add `*.sh text eol=lf` to .gitattributes."
        yield Remark("script-line-ends", Severity.ERROR, Source(file.path, 1), what, todo)
    if not _is_executable(tree, file) and not _MENDS_MODE.search(text):
        what = "is not executable, and the Dockerfile starts it as a program"
        todo = f"Run `chmod +x {file.path}`, or start it with its interpreter: `sh {file.path}`."
        yield Remark("script-not-executable", Severity.ERROR, Source(file.path), what, todo)


def check_has_command(dockerfile: Dockerfile | None) -> Iterator[Remark]:
    """A Dockerfile that starts nothing, on an image that starts Python or a shell: the container ends at once."""
    if dockerfile is None or dockerfile.words or not dockerfile.base or not _BARE.match(dockerfile.base[0]):
        return
    what = "has neither CMD nor ENTRYPOINT, so that the container ends at once"
    todo = 'Add the server as its last line: `CMD ["gunicorn", "--bind", "0.0.0.0:8000", "app:app"]`.'
    yield Remark("no-command", Severity.WARNING, Source(dockerfile.path), what, todo)


def check_overridden(dockerfile: Dockerfile | None, commands: tuple[Detected[Command], ...]) -> Iterator[Remark]:
    """A Compose file whose command takes the place of the Dockerfile's, which is what mldeploy starts."""
    if dockerfile is None or not dockerfile.words or not commands or commands[0].source.path not in COMPOSE_FILES:
        return
    what = f"starts the app, but the image is started by what {dockerfile.path} says"
    todo = f"Write this command as CMD into {dockerfile.path}."
    yield Remark("command-overridden", Severity.WARNING, commands[0].source, what, todo)


def _find_script(tree: Tree, word: str) -> TreeFile | None:
    """The file of the folder that the first word runs; None for a program of the image."""
    if "/" not in word or word.startswith(("/bin/", "/usr/", "/opt/", "/sbin/")):
        return None
    matches = tree.named(word.rpartition("/")[2])
    return matches[0] if len(matches) == 1 else None


def _text(tree: Tree, dockerfile: Dockerfile) -> str:
    file = tree.get(dockerfile.path)
    return tree.text(file) if file else ""


def _is_executable(tree: Tree, file: TreeFile) -> bool:
    try:
        return bool((tree.root / file.path).stat().st_mode & 0o111) or os.name == "nt"
    except OSError:
        return True
