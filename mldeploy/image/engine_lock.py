"""One command at a time for one app on one engine, also if their state folders differ.

The lock of a journal is a file of its state folder, so two users, or two values of HOME or XDG_STATE_HOME, do not
exclude each other. This lock is a name that the kernel gives to one process: an abstract Unix socket (unix(7)), which
has no file and ends with the process. Only Linux has them; elsewhere the engine's unique container names are the only
guard.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import shlex
import socket
import struct
import sys
from collections.abc import Iterator

from mldeploy.config.paths import state_folder
from mldeploy.core.errors import LockedError
from mldeploy.core.lock import Holder
from mldeploy.image.engine import Engine
from mldeploy.image.errors import engine_errors

LOCKED_TODO = "Wait for it to end, or stop it, and try again."
COMMAND_LENGTH = 120
_CREDENTIALS = struct.Struct("3i")
"""`struct ucred` (unix(7)): process, user, group."""


@contextlib.contextmanager
def hold_engine_lock(engine: Engine, app: str, subject: str) -> Iterator[None]:
    """Hold the lock of one subject of an app ("containers", "check") on an engine.

    Raises LockedError, with its holder, while another process on this machine holds it; EngineError.
    """
    if sys.platform != "linux":
        yield
        return
    name = _socket_name(engine, app, subject)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as lock:
        try:
            lock.bind(name)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            what = f"another command works on the {subject} of this app on this engine: {_describe_holder(name)}"
            raise LockedError(app, what, LOCKED_TODO) from error
        lock.listen(1)  # so that others can read who holds it
        yield


def describe_origin() -> str:
    """Return who makes a resource: user, machine and state folder, which separates two homes."""
    me = Holder.me("")
    return f"{me.user}@{me.host}:{state_folder()}"


def _socket_name(engine: Engine, app: str, subject: str) -> bytes:
    """Return the name for an engine, whose id is the same at each of its addresses."""
    with engine_errors(engine.endpoint):
        identity = engine.client.info().get("ID") or engine.endpoint
    text = "\0".join((str(identity), app, subject))
    return b"\0mldeploy/" + hashlib.sha256(text.encode()).hexdigest().encode()


def _describe_holder(name: bytes) -> str:
    """Describe the process that holds the lock, as far as the user's permissions allow."""
    import psutil  # noqa: PLC0415 - needed only for a held lock

    with contextlib.suppress(OSError, psutil.Error), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.setblocking(False)  # the holder accepts nothing: being queued is enough
        client.connect(name)
        options = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        process = psutil.Process(_CREDENTIALS.unpack(options)[0])
        command = shlex.join(process.cmdline())
        text = f"process {process.pid} of {process.username()}, `{command[:COMMAND_LENGTH]}`"
        with contextlib.suppress(psutil.AccessDenied):
            text += f", in {process.cwd()}"
        return text
    return "a process of this machine"
