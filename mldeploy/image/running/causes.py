"""What logs and exit codes mean, and what to do about it. To teach mldeploy a cause, add a line to a table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from types import MappingProxyType

from mldeploy.image import libraries


class About(StrEnum):
    """What a cause is about."""

    START = "start"
    MODEL = "model"
    PORT = "port"
    HEALTH = "health"
    GOLDEN = "golden row"
    MEMORY = "memory"


@dataclass(frozen=True)
class Diagnosis:
    """cause: one sentence without its full stop. todo: what to do about it, "" if that cannot be said."""

    cause: str
    todo: str = ""
    about: About = About.START


@dataclass(frozen=True)
class Sign:
    """A line of a log that tells a cause. The texts may use the pattern's groups, and {requirements}, a file's path."""

    pattern: str
    cause: str
    todo: str
    about: About = About.START


_SIGNS = (
    Sign(
        r"ModuleNotFoundError: No module named '(?P<module>numpy\._core[\w.]*)'",
        "the model does not load: it was saved with NumPy 2, and the image has NumPy 1",
        "Pin in {requirements} the numpy that the model was trained with.",
        About.MODEL,
    ),
    Sign(
        r"ModuleNotFoundError: No module named '(?P<module>[\w.]+)'",
        "the module {module} is not in the image",
        "If it comes from a package, add `{requirement}` to {requirements}. If it is a file of yours, see that neither "
        ".dockerignore nor its place keeps it out of the image.",
    ),
    Sign(libraries.MISSING, "the system library {library} is not in the image", "{library_remedy}"),
    Sign(
        r"(?P<said>ImportError: cannot import name .+)",
        "an import fails: {said}",
        "Two packages do not fit together: pin in {requirements} the versions that the app was written with.",
    ),
    Sign(
        r"Failed to find attribute '(?P<name>\w+)' in '(?P<module>[\w.]+)'",
        "the module {module} has no object {name}",
        "Correct `entry` in [app] of mldeploy.toml: the module, a colon, the name of the Flask object.",
    ),
    Sign(
        r"AttributeError: Can't get attribute '(?P<name>\w+)' on <module '(?P<module>\w+)'",
        "the model does not load: it was saved with {name} defined in {module}, which is another module here",
        "Move {name} to a module of its own, import it where the model is trained, and save the model again.",
        About.MODEL,
    ),
    Sign(
        r"UnpicklingError: invalid load key, '(?P<key>v)'",
        "the model does not load: its file is a Git LFS pointer, not the model",
        "Fetch the model with `git lfs pull` and deploy again.",
        About.MODEL,
    ),
    Sign(
        r"(?P<said>UnpicklingError: .+|EOFError: Ran out of input|ValueError: unsupported pickle protocol.*)",
        "the model does not load: {said}",
        "Its file is damaged, or another library or Python saved it: save it with the versions in {requirements}.",
        About.MODEL,
    ),
    Sign(
        r"(?P<said>ValueError: node array from the pickle has an incompatible dtype)",
        "the model does not load: it was saved with another version of scikit-learn ({said})",
        "Pin in {requirements} the scikit-learn that the model was trained with, or train it again.",
        About.MODEL,
    ),
    Sign(
        r"FileNotFoundError: \[Errno 2\] No such file or directory: '(?P<file>[^']+)'",
        "the app opens {file}, which is not in the image",
        "See that .dockerignore does not leave it out, and open it relative to the app's own file.",
    ),
    Sign(
        r"OSError: \[Errno 30\] Read-only file system: '(?P<file>[^']+)'",
        "the app writes to {file}, and the container's file system is read-only",
        "Write below /tmp, or set `read_only = false` in [app] of mldeploy.toml.",
    ),
    Sign(
        r"PermissionError: \[Errno 13\] Permission denied: '(?P<file>[^']+)'",
        "the app may not use {file}",
        "It does not run as root: write below /tmp, and make the files of the image readable for everybody.",
    ),
    Sign(
        r"(?:Operation not permitted|chown failed|setgid|setgroups|initgroups).*",
        "the program wants a privilege of root, and the container has none",
        "Run the program as an ordinary user: end the Dockerfile with USER.",
    ),
    Sign(
        r"Address already in use|Errno 98\]|in use: \('",
        "the address that the server wants is in use inside the container",
        "Start only one server in the container.",
    ),
    Sign(
        # Inits use execvp(3), which hands what the kernel cannot run to a shell; that complains of its first bytes.
        r"(?i)exec format error|cannot execute binary file|\x7fELF",
        "the program is built for another processor than this machine's",
        "Set `platform` in [build] of mldeploy.toml to this machine's, or remove it.",
    ),
    Sign(
        r'exec:? "?(?P<program>[^"\s:]+)"?(?: failed)?: (?i:executable file not found|(?:stat .*: )?no such file)',
        "the program {program}, or the interpreter that its first line names, is not in the image",
        "If a package brings it, add that to {requirements}; otherwise correct CMD or ENTRYPOINT in the Dockerfile.",
    ),
    Sign(
        r'exec:? "?(?P<program>[^"\s:]+)"?(?: failed)?: (?i:permission denied)',
        "the program {program} is not executable",
        "Make it so before the image is built: `chmod +x`.",
    ),
    Sign(
        r"unable to find user (?P<user>[^:\s]+)",
        "the image has no user {user}",
        "Create it in the Dockerfile before USER.",
    ),
    Sign(
        r"Worker \(pid:\d+\) was sent SIGKILL! Perhaps out of memory\?|MemoryError|std::bad_alloc",
        "the app ran out of memory",
        "Raise `memory` in [app] of mldeploy.toml, or lower `workers`.",
        About.MEMORY,
    ),
    Sign(r"No space left on device", "the disk is full", "Free some: `docker system df` says what takes the space."),
    Sign(
        r"(?P<said>SyntaxError: .+|IndentationError: .+)",
        "a file of the app is not valid for the image's Python: {said}",
        "Correct it, or choose the Python that the app was written for with `base_image` in [build] of mldeploy.toml.",
    ),
    Sign(
        r"KeyError: '(?P<name>[A-Z][A-Z0-9_]+)'",
        "the environment variable {name} is not set",
        "Set it in [app.env] of mldeploy.toml, or in the file that `env_file` names.",
    ),
)
_HINTS = (
    Sign(r"^(?P<said>[A-Za-z_][\w.]*(?:Error|Exception): .+)", "the app failed: {said}", ""),
    Sign(
        r"InconsistentVersionWarning: (?P<said>.+)",
        "the model was saved with another version of scikit-learn ({said})",
        "Pin in {requirements} the scikit-learn that the model was trained with, or train it again.",
        About.MODEL,
    ),
)

# Import names whose package is called otherwise on the package index.
_PACKAGES: Mapping[str, str] = MappingProxyType(
    {
        "bs4": "beautifulsoup4",
        "cv2": "opencv-python-headless",
        "dateutil": "python-dateutil",
        "dotenv": "python-dotenv",
        "flask_cors": "flask-cors",
        "jwt": "pyjwt",
        "MySQLdb": "mysqlclient",
        "PIL": "pillow",
        "prometheus_client": "prometheus-client",
        "psycopg2": "psycopg2-binary",
        "skimage": "scikit-image",
        "sklearn": "scikit-learn",
        "yaml": "pyyaml",
    }
)

_ENDS: Mapping[int, Diagnosis] = MappingProxyType(
    {
        0: Diagnosis("it ended by itself, without an error", "Its command must stay in the foreground and serve."),
        3: Diagnosis("its server's workers did not start (exit code 3)"),
        4: Diagnosis("its server could not load the app (exit code 4)", "Correct `entry` in [app] of mldeploy.toml."),
        126: Diagnosis("its program is not executable (exit code 126)", "Make it so: `chmod +x`."),
        127: Diagnosis("its program is not in the image (exit code 127)", "Correct CMD or ENTRYPOINT."),
        132: Diagnosis(
            "it used an instruction that this processor does not have (exit code 132)",
            "Use a build of the library for older processors, or another machine.",
        ),
        134: Diagnosis("it aborted (exit code 134)"),
        137: Diagnosis(
            "it was killed (exit code 137)", "If nobody killed it, this machine has too little memory for it."
        ),
        139: Diagnosis(
            "it crashed in native code (exit code 139)", "Two libraries do not fit together: pin the versions that do."
        ),
        143: Diagnosis("it was told to stop (exit code 143)", "See who stopped it: `docker events`."),
    }
)


def from_log(lines: Iterable[str], requirements: str) -> Diagnosis | None:
    """The cause that a log tells: that of the last line with a sign; what is only a hint counts if there is no sign."""
    latest_first = list(lines)[::-1]
    for signs in (_SIGNS, _HINTS):
        for line, sign in product(latest_first, signs):
            if match := re.search(sign.pattern, line):
                words = {**match.groupdict(), "requirements": requirements, "requirement": _package(match)}
                words["library_remedy"] = libraries.remedy(line)
                return Diagnosis(sign.cause.format_map(words), sign.todo.format_map(words), sign.about)
    return None


def unhealthy(path: str, said: str) -> Diagnosis:
    """The app answers when it is asked for its health, and does not answer 200. said: what was seen of that."""
    todo = (
        f"Let {path} answer 200, or set `health` in [app] of mldeploy.toml to a path that does; "
        'for an app without such a page, `health_by = "server"`.'
    )
    return Diagnosis(said, todo, About.HEALTH)


def from_exit(status: int) -> Diagnosis:
    """The cause that an exit code tells (128 + n: ended by signal n, as POSIX shells count)."""
    return _ENDS.get(status, Diagnosis(f"it ended (exit code {status})"))


def _package(match: re.Match[str]) -> str:
    module = (match.groupdict().get("module") or "").partition(".")[0]
    return _PACKAGES.get(module, module.replace("_", "-"))


_LISTENING = re.compile(r"(?i)(?:listening at|running on|serving on):? (?:https?://)?(?P<at>[\w.\[\]:*-]+:\d+)")


def listens_on(lines: Sequence[str]) -> str:
    """The address that a server says it listens on, or "": gunicorn, Flask, uvicorn and waitress name it so."""
    for line in reversed(lines):
        if match := _LISTENING.search(line):
            return match["at"]
    return ""
