"""Starts `mldeploy` from a process that has imported it already: a fork, which costs a fraction of a new interpreter.

The child is a process of its own, with its own arguments, environment, folder and streams, and it ends as the program
does. It differs in what it finds imported. So what is about imports, the interpreter's own options or processor time
starts the real program: see `Command`.
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import itertools
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_SERVER = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from tests.cli.warm import serve; serve()"
_PACKAGES = ("cli", "config", "core", "providers.local", "ui")
_MODULES = ("check.step", "image.recipe.dockerfile_export", "project.load", "project.served")
"""What most commands import. A target's SDK follows when the first command names the target."""
_STREAMS = (
    (0, "stdin", "r", "strict"),
    (1, "stdout", "w", "strict"),
    (2, "stderr", "w", "backslashreplace"),
)
_LARGEST = 1 << 20
"""Bytes of a request."""


def run(
    arguments: Sequence[str], *, stdin: str, env: Mapping[str, str], folder: Path, within: float
) -> tuple[int, str, str]:
    """Run `mldeploy` with these arguments; its exit code (negative: of a signal), stdout and stderr.

    Raises subprocess.TimeoutExpired after `within` seconds.
    """
    request = json.dumps({"arguments": list(arguments), "env": dict(env), "folder": str(folder)}).encode()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    (out, out_end), (err, err_end) = os.pipe(), os.pipe()
    with tempfile.TemporaryFile() as given, ours, theirs, ThreadPoolExecutor(2) as readers:
        given.write(stdin.encode())
        given.seek(0)
        try:
            socket.send_fds(_server(), [request], [theirs.fileno(), given.fileno(), out_end, err_end])
        finally:  # the ends are the process's alone: whatever it leaves running must not keep them
            for each in (out_end, err_end):
                os.close(each)
            texts = [readers.submit(_read, each) for each in (out, err)]
        theirs.close()  # the end of the server ends the wait
        code = _wait(ours, within, ("mldeploy", *arguments))
        return code, texts[0].result(), texts[1].result()


def _wait(answers: socket.socket, within: float, command: Sequence[str]) -> int:
    started = answers.recv(64)
    assert started, "the server of commands has ended: see its stderr"
    process = int(started)
    answers.settimeout(within)
    try:
        return os.waitstatus_to_exitcode(int(answers.recv(64)))
    except BaseException as error:  # also where the test run is interrupted
        os.kill(process, signal.SIGKILL)
        if isinstance(error, TimeoutError):
            raise subprocess.TimeoutExpired(command, within) from None
        raise


def _read(descriptor: int) -> str:
    with open(descriptor, encoding="utf-8") as stream:
        return stream.read()


@functools.cache
def _server() -> socket.socket:
    """The socket of this process's server, which ends when this process does."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for each in (ours, theirs):
        each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LARGEST)
    with theirs:
        # -I: the search path without the folder of the tests and PYTHONPATH, which each command has its own of.
        command = (sys.executable, "-I", "-c", _SERVER)
        server = subprocess.Popen(command, stdin=theirs.fileno(), env={"PATH": os.environ["PATH"]})
    atexit.register(_end, server, ours)
    return ours


def _end(server: subprocess.Popen[bytes], requests: socket.socket) -> None:
    requests.close()
    server.wait()


# in the server --------------------------------------------------------------------------------------------------------


def serve() -> None:
    """Answer requests on the socket that is stdin. In a child: return, after which the interpreter ends as usual."""
    search_path = sys.path[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the commands, and the process that ends this one
    _import_packages()
    gc.freeze()  # the children share what is there now
    with socket.socket(fileno=os.dup(0)) as requests:
        while True:
            message, descriptors, _, _ = socket.recv_fds(requests, _LARGEST, 4)
            if not message:
                return
            request = json.loads(message)
            _import_target(request["arguments"])
            if os.fork() == 0:
                break
            for each in descriptors:
                os.close(each)
            _reap()
    answer, *streams = descriptors
    if (child := os.fork()) != 0:
        _report(answer, streams, child)
    os.close(answer)
    _become(request, streams, search_path)
    from mldeploy.cli.start import main  # noqa: PLC0415 - in the child, as `python -m mldeploy` does

    sys.exit(main())


def _report(answer: int, streams: list[int], child: int) -> None:
    """Tell the number of the process, and how it ended."""
    for each in streams:
        os.close(each)
    with socket.socket(fileno=answer) as answers, suppress(BrokenPipeError):
        answers.send(str(child).encode())
        answers.send(str(os.waitpid(child, 0)[1]).encode())
    os._exit(0)


def _become(request: dict[str, object], streams: list[int], search_path: list[str]) -> None:
    """Take over what a process is given when it starts."""
    for number, each in enumerate(streams):
        os.dup2(each, number)
        os.close(each)
    env = request["env"]
    assert isinstance(env, dict)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(str(request["folder"]))
    arguments = request["arguments"]
    assert isinstance(arguments, list)
    sys.argv = [str(ROOT / "mldeploy" / "__main__.py"), *arguments]
    sys.path[:] = [os.getcwd(), *filter(None, env.get("PYTHONPATH", "").split(os.pathsep)), *search_path]  # noqa: PTH109
    sys.path_importer_cache.clear()
    tempfile.tempdir = None
    for number, name, mode, errors in _STREAMS:
        stream = open(number, mode, 1 if name == "stderr" else -1, "utf-8", errors, closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _import_packages() -> None:
    for name in _MODULES:
        importlib.import_module(f"mldeploy.{name}")
    for name in _PACKAGES:
        package = importlib.import_module(f"mldeploy.{name}")
        for each in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(each.name)


def _import_target(arguments: list[str]) -> None:
    """Import the provider that a command names, which only the command itself may fail to find."""
    from mldeploy.providers import registry  # noqa: PLC0415 - only in the server

    for option, value in itertools.pairwise(arguments):
        if option in ("-t", "--target") and value in registry.built_in():
            registry.find(value)
            gc.freeze()


def _reap() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
