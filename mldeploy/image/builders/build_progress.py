"""The progress of a build, and the error of one that fails, for both builders."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from textwrap import shorten

from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.redaction import redact
from mldeploy.image.builders.build_request import BuildRequest
from mldeploy.image.builders.install_progress import InstallProgress
from mldeploy.image.errors import BuildError, disk_full_error, is_disk_full
from mldeploy.image.recipe import libraries

LAST_LINES = 15
_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-_]")
_PRELUDE = re.compile(r"(?<=\bRUN )(--\S+ +)*((export|if|until|\.) [^&]* && )*")
_EXIT_CODE = re.compile(r"returned a non-zero code: (\d+)|exit code: (\d+)")
_OUR_INSTRUCTIONS = {
    "RUN python3 -m pip install": "Installing uv",
    "COPY builder/": "Sending the list of dependencies",
    "RUN uv venv": "Installing the dependencies",
    "RUN touch /dev/shm/begun": "Installing the system packages",
    "COPY --from=builder /out/": "Adding the dependencies",
    "COPY model/": "Adding the model",
    "COPY assets/": "Adding the other files",
    "COPY code/": "Adding the code",
}
"""What the instructions of our own recipe do, by their start."""


def strip_ansi(text: str) -> str:
    """Return the text without escape sequences."""
    return _ANSI.sub("", text)


@dataclass
class BuildInstruction:
    """The running instruction. name: as the builder logs it, with its number."""

    name: str = ""
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))

    def say(self, text: str) -> None:
        self.lines.extend(line.rstrip() for line in text.splitlines() if line.strip())


@dataclass(frozen=True)
class BuildProgress:
    """Reports a build's progress and errors."""

    request: BuildRequest
    monitor: Monitor
    _installing: InstallProgress = field(default_factory=InstallProgress)

    def read(self, output: str) -> None:
        """Report what the output of an instruction tells of packages that are being installed."""
        for line in output.splitlines():
            if progress := self._installing.read(line):
                self.monitor.progress(progress)

    def begin(self, instruction: str, done: int, total: int) -> None:
        """Report the start of an instruction, the `done`th of `total`."""
        plain = _PRELUDE.sub("", instruction, count=1)
        ours = next((text for start, text in _OUR_INSTRUCTIONS.items() if plain.startswith(start)), "")
        shown = ours or shorten(plain, 60, placeholder=" …")
        self.monitor.progress(Progress("", shown, done, total))

    def send_callback(self) -> Callable[[int], None]:
        """Return a callback for the size of each block that is sent. It raises CancelledError after a stop."""
        total = self.request.context.size
        sent = 0

        def tell(size: int) -> None:
            nonlocal sent
            self.monitor.check()
            sent += size
            self.monitor.progress(Progress("", "Sending the files", min(sent, total), total, in_bytes=True))

        return tell

    def failure(self, instruction: BuildInstruction, reason: str) -> Exception:
        """Return the error of a failed instruction. reason: the builder's message."""
        name = _PRELUDE.sub("", strip_ansi(instruction.name), count=1)
        where = self._redact(shorten(name, 160, placeholder=" …")) or "docker build"
        everything = "\n".join((*instruction.lines, reason))
        if is_disk_full(everything):
            return disk_full_error(where)
        exit_code = _EXIT_CODE.search(reason)
        why = f"ended with code {exit_code[1] or exit_code[2]}" if exit_code else strip_ansi(reason).strip()
        return BuildError(where, self._redact("\n".join((why, *instruction.lines))), suggest_remedy(everything))

    def _redact(self, text: str) -> str:
        """Redact passwords that a program may have printed."""
        return redact(text, (password.reveal() for password in self.request.passwords))


_CERTIFICATE = "UnknownIssuer|CERTIFICATE_VERIFY_FAILED|invalid peer certificate|self.signed certificate"
_NETWORK = (
    "dns error|failed to lookup|name resolution|Network is unreachable|error sending request|Could not connect"
    "|Connection refused|No route to host|timed out|failed to create endpoint"
)
_CONTRADICTION = r"(?s)No solution found.*depends on.*unsatisfiable"
_REQUIREMENT = "No solution found|No matching distribution|not found in the package registry|no versions? of"
_COMPILER = r"Failed to build|Failed to download and build|command .?(gcc|cc|g\+\+)"
_PYTHON = "python3: (command )?not found|No module named (pip|venv)|no such file or directory.*python"
_BUILDKIT = "requires BuildKit|unknown flag|Unknown flag: (mount|chmod|link)"
_BASE = "pull access denied|manifest unknown|manifest for .* not found"

_TORCH = r"download\.pytorch\.org"

_UNAUTHORIZED = r"401 Unauthorized|403 Forbidden|\b(401|403)\b.*index|credentials"

_REMEDIES = {
    _UNAUTHORIZED: "The package index refuses the credentials: correct those that build.index_url, or a netrc file, "
    "gives.",
    _TORCH: "PyTorch's builds for the processor alone come from its own index, which could not be used, or has no such "
    "version: correct the requirement, or take the larger builds of the package index with `gpu = true` in [build].",
    "Unable to locate package|has no installation candidate|apt-get: (command )?not found": "Correct `system_packages` "
    "in [build]: the base image's distribution, which must be Debian or its like, has no such package.",
    _CERTIFICATE: "Something between the build and the package index inspects TLS: name its certificates in "
    "build.ca_bundle.",
    _NETWORK: "The build could not reach the network: check it, or the proxies in Docker's config.json.",
    "Git executable not found": "Take the package from an archive, which needs no git "
    "(`NAME @ https://…/archive/REF.zip`), or choose a base image that has git (build.base_image).",
    "changed significantly since poetry.lock": "Run `poetry lock`: Poetry refuses a lock that is older than its "
    "pyproject.toml.",
    "Hash mismatch": "The index has another file than the requirements' hash says: correct the hash, or find out why.",
    _CONTRADICTION: "Correct the requirements: no versions meet all of them, for the reasons above.",
    _REQUIREMENT: "Correct the requirements: what they ask for does not exist, or not for this Python and platform.",
    _COMPILER: "A package has no wheel for this Python and platform, and the base image cannot compile it: choose a "
    "version that has one, or another base image (build.base_image).",
    "exec format error": "The engine cannot run programs for this platform: install QEMU's binfmt handlers, or change "
    "build.platform.",
    _PYTHON: "The base image must hold python3 with pip: choose another one (build.base_image).",
    _BUILDKIT: "This Dockerfile needs BuildKit: write it for the classic builder, or use mldeploy's own recipe.",
    _BASE: "The engine cannot get an image that the Dockerfile names: correct it, or log in with `docker login`.",
}
"""Patterns in the output, the most specific first, and the remedies."""


def suggest_remedy(output: str) -> str:
    """Return the remedy for a failed build's output, or ""."""
    known = next((todo for pattern, todo in _REMEDIES.items() if re.search(pattern, output, re.IGNORECASE)), "")
    return known or libraries.suggest_package(output)
