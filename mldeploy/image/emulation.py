"""Whether an engine can run programs for another processor than its own."""

from __future__ import annotations

import re
import socket
from pathlib import Path

from mldeploy.image.engine import Engine
from mldeploy.image.errors import BuildError, engine_errors

BINFMT = Path("/proc/sys/fs/binfmt_misc")

_QEMU = {"amd64": "x86_64", "arm64": "aarch64", "386": "i386"}
"""Where QEMU's name of a processor is not Go's, which OCI uses."""
_RELATED = {("amd64", "386"), ("arm64", "arm")}
"""The second one's programs run on most of the first."""


def require(engine: Engine, wanted: str) -> None:
    """Raise BuildError if it is certain that the engine cannot run programs for `wanted` ("linux/arm64").

    Without this, the classic builder would build for its own processor and say nothing. An engine on another machine is
    left to find out by itself. Raises EngineError.
    """
    with engine_errors(engine.endpoint):
        told = engine.client.version(api_version=False)
        own = f"{told.get('Os', 'linux')}/{told.get('Arch', '')}"
        if is_native(own, wanted) or not _is_here(engine) or is_registered(wanted):
            return
    what = f"{wanted} is not the engine's own processor ({own}), and the engine does not emulate it"
    raise BuildError("build.platform", what, f"Build for {own}, or {remedy(wanted)}.")


def remedy(wanted: str) -> str:
    """How an engine learns to run them."""
    return f"let the engine emulate it: `docker run --privileged --rm tonistiigi/binfmt --install {processor(wanted)}`"


def is_native(own: str, wanted: str) -> bool:
    """Whether one platform's machine runs the other's programs by itself."""
    return processor(own) == processor(wanted) or (processor(own), processor(wanted)) in _RELATED


def processor(platform: str) -> str:
    """ "arm64" of "linux/arm64/v8"."""
    return platform.split("/")[1] if "/" in platform else platform


def is_registered(platform: str) -> bool:
    """An interpreter is enabled, and opened in advance (F): a container does not see the file that it is.

    https://docs.kernel.org/admin-guide/binfmt-misc.html
    """
    name = processor(platform)
    try:
        entry = (BINFMT / f"qemu-{_QEMU.get(name, name)}").read_text()
    except OSError:
        return False
    return entry.startswith("enabled") and re.search(r"^flags:.*F", entry, re.MULTILINE) is not None


def _is_here(engine: Engine) -> bool:
    """It runs on this machine itself, so that this machine's kernel is its own: not in a virtual machine."""
    return engine.endpoint.startswith("unix://") and engine.client.info().get("Name") == socket.gethostname()
