"""The shell command that writes the requirements of a lock in the build, with the tool that the lock belongs to."""

from __future__ import annotations

import posixpath
import shlex

from mldeploy.config.settings import LockExport, LockTool

_PLACE = "UV_TOOL_DIR"
"""Names the folder of the tools in the build stage, which does not get into the image."""
_BIN = "UV_TOOL_BIN_DIR"
_PINS = {
    LockTool.POETRY: (("poetry", "2.5.1", "2.2.1"), ("poetry-plugin-export", "1.10.1", "1.9.0")),
    LockTool.PIPENV: (("pipenv", "2026.10.3", "2025.0.4"),),
}
"""Each package with its version, and the last version for Python 3.9. The first one is the program."""
_COMMANDS = {
    # https://github.com/python-poetry/poetry-plugin-export#usage
    LockTool.POETRY: "poetry export --no-ansi --no-interaction --without-urls --output={raw}{arguments}",
    # https://pipenv.pypa.io/en/latest/cli.html#requirements
    LockTool.PIPENV: "pipenv requirements --hash{arguments} > {raw}",
}
_PLAIN = r"-e 's/^-e //' -e '/^(-i|--index-url|--extra-index-url|--trusted-host) /d'"
"""For sed: nothing is installed as editable, since its folder stays behind, and the indexes are those of the build."""


def exported_file(lock: LockExport) -> str:
    """Return the file to install from, below the folder of the requirements: the command writes it, if there is one."""
    return lock.lock if lock.tool is LockTool.BACKEND else f"{lock.lock}.exported.txt"


def export_command(lock: LockExport, own: str) -> str:
    """Return the command, for a POSIX shell in the folder of the requirements; "" if uv installs from the file itself.

    own: the requirements as mldeploy reads them, which count where the index of the build does not have the tool.
    """
    if lock.tool is LockTool.BACKEND:
        return ""
    return _uv_command(lock) if lock.tool is LockTool.UV else _tool_command(lock, own)


def _uv_command(lock: LockExport) -> str:
    """https://docs.astral.sh/uv/reference/cli/#uv-export"""
    folder = posixpath.dirname(lock.lock)
    options = ("--quiet", "--frozen", "--no-dev", "--no-emit-project", "--no-editable", "--no-header", "--no-annotate")
    where = (f"--directory={folder}",) if folder else ()
    output = f"--output-file={posixpath.basename(exported_file(lock))}"
    return shlex.join(("uv", "export", *options, *where, *lock.arguments, output))


def install_command(tool: LockTool) -> str:
    """Return the command that installs a tool below the folder `$UV_TOOL_DIR`, in versions for the image's Python."""
    pins = _PINS[tool]
    options = [
        f"--with={name}=={version}; python_version {condition} '3.10'"
        for name, newest, last in pins
        for version, condition in ((newest, ">="), (last, "<"))
    ]
    return shlex.join(("uv", "tool", "install", "--quiet", "--python=python3", *options, pins[0][0]))


def _tool_command(lock: LockExport, own: str) -> str:
    folder, output = posixpath.dirname(lock.lock) or ".", posixpath.basename(exported_file(lock))
    arguments = "".join(f" {shlex.quote(each)}" for each in lock.arguments)
    command = _COMMANDS[lock.tool].format(raw=f"{output}.raw", arguments=arguments)
    run = f'(cd {shlex.quote(folder)} && "${_BIN}"/{command} && sed -E {_PLAIN} {output}.raw > {output})'
    note = f"{lock.tool} cannot be installed from this index: {lock.lock} is read without it."
    instead = f"{{ echo {shlex.quote(note)} && cp {shlex.quote(own)} {shlex.quote(exported_file(lock))}; }}"
    place = f'export {_PLACE}="$PWD/.lock-tools" {_BIN}="$PWD/.lock-tools/bin"'
    return f"{place} && if {install_command(lock.tool)}; then {run}; else {instead}; fi"
