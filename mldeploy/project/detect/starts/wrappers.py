"""Programs that start another program: what their words say before the command that they run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from mldeploy.project.detect.starts.shell import ShellCommand, join_folder


@dataclass(frozen=True)
class Wrapper:
    """How a program names the command that it runs.

    valued: its options that take the next word. before: how many words stand between the options and the command.
    verb: the sub-command that runs one. folders: options that name the folder to go to. after_dashes: the command
    follows `--`.
    """

    valued: frozenset[str] = frozenset()
    before: int = 0
    verb: str = ""
    folders: frozenset[str] = frozenset()
    after_dashes: bool = False


def _wrapper(
    valued: str = "", *, before: int = 0, verb: str = "", folders: str = "", after_dashes: bool = False
) -> Wrapper:
    names = frozenset(folders.split())
    return Wrapper(frozenset(valued.split()) | names, before, verb, names, after_dashes)


_CONDA = _wrapper("-n --name -p --prefix --log-level", verb="run", folders="--cwd")
_WAIT = _wrapper("-t --timeout -h --host -p --port", after_dashes=True)
_SECRETS = _wrapper("-p --project -c --config -t --token --env --path -f --env-file --scope", verb="run")

WRAPPERS: Final[Mapping[str, Wrapper]] = {
    # shells and POSIX
    "exec": _wrapper("-a"),
    "command": _wrapper(),
    "nohup": _wrapper(),
    "time": _wrapper("-f --format -o --output"),
    "nice": _wrapper("-n --adjustment"),
    "timeout": _wrapper("-k --kill-after -s --signal", before=1),
    "env": _wrapper("-u --unset -a --argv0", folders="-C --chdir"),
    # util-linux and coreutils
    "setsid": _wrapper(),
    "ionice": _wrapper("-c --class -n --classdata"),
    "chrt": _wrapper("-T -P -D", before=1),
    "taskset": _wrapper(before=1),
    "prlimit": _wrapper("-p --pid -o --output"),
    "stdbuf": _wrapper("-i --input -o --output -e --error"),
    "unbuffer": _wrapper(),
    "setpriv": _wrapper("--reuid --regid --groups --inh-caps --ambient-caps --bounding-set --securebits --pdeathsig"),
    "chroot": _wrapper(before=1),
    "numactl": _wrapper("-N --cpunodebind -m --membind -C --physcpubind -i --interleave -p --preferred"),
    # other users
    "sudo": _wrapper("-u --user -g --group -h --host -p --prompt -C -r -t -T -U", folders="-D --chdir"),
    "doas": _wrapper("-u -C"),
    "gosu": _wrapper(before=1),
    "su-exec": _wrapper(before=1),
    "runuser": _wrapper("-u --user -g --group -G --supp-group -s --shell -w --whitelist-environment"),
    "s6-setuidgid": _wrapper(before=1),
    "setuidgid": _wrapper(before=1),
    "chpst": _wrapper("-u -U -b -e -/ -n -l -L -m -d -o -p -f -c -r -t", folders="-C"),
    "with-contenv": _wrapper(),
    # the first process of a container
    "dumb-init": _wrapper("-r --rewrite"),
    "tini": _wrapper("-p -e"),
    "tini-static": _wrapper("-p -e"),
    "docker-init": _wrapper("-p -e"),
    "catatonit": _wrapper(),
    # waiting for another service
    "wait-for-it": _WAIT,
    "wait-for": _WAIT,
    "wait_for_it": _WAIT,
    "wait-for-postgres": replace(_WAIT, after_dashes=False, before=1),
    "wait4ports": _WAIT,
    "dockerize": _wrapper(
        "-wait -timeout -template -stdout -stderr -wait-retry-interval -wait-http-header -delims -poll-interval"
        " -env -env-section"
    ),
    # Python environments
    "uv": _wrapper(
        "--extra --no-extra --group --no-group --only-group --env-file --with --with-editable --with-requirements"
        " --package -p --python --index --default-index -i --index-url --extra-index-url -f --find-links"
        " --index-strategy --keyring-provider --resolution --prerelease --exclude-newer --link-mode --cache-dir"
        " --config-file --project --color --python-platform -C --config-setting -P --upgrade-package"
        " --python-preference --allow-insecure-host --no-binary-package --no-build-package --refresh-package"
        " --reinstall-package",
        verb="run",
        folders="--directory",
    ),
    "uvx": _wrapper(
        "--from --with --with-editable --with-requirements -p --python --index --default-index -i --index-url"
        " --extra-index-url -f --find-links --env-file -w -c --constraints"
    ),
    "pipx": _wrapper("--spec --python --index-url -i --pip-args", verb="run"),
    "poetry": _wrapper("-P --project", verb="run", folders="-C --directory"),
    "pipenv": _wrapper("--python --pypi-mirror", verb="run"),
    "pdm": _wrapper("-p --project -s --site-packages --venv", verb="run"),
    "hatch": _wrapper("-e --env -p --project", verb="run"),
    "rye": _wrapper("-f --pyproject", verb="run"),
    "pixi": _wrapper("-e --environment --manifest-path -p --platform", verb="run"),
    "conda": _CONDA,
    "mamba": _CONDA,
    "micromamba": _CONDA,
    # variables and secrets
    "dotenv": _wrapper("-f --file -q --quote -e --export -c", verb="run"),
    "doppler": _SECRETS,
    "infisical": _SECRETS,
    "op": _SECRETS,
    "chamber": _wrapper("-b -r --backend --retries", before=1, verb="exec"),
    "aws-vault": _wrapper("-d --duration --region", before=1, verb="exec"),
    # observation
    "ddtrace-run": _wrapper(),
    "newrelic-admin": _wrapper(verb="run-program"),
    "scout-apm": _wrapper(),
    "elastic-apm-run": _wrapper("--config"),
    "coverage": _wrapper("--rcfile --source --include --omit --context --concurrency --data-file", verb="run"),
    "strace": _wrapper("-o -e -p -s -u -E -a -b -I -O -P -S -X"),
    "watchmedo": _wrapper(
        "-d --directory -p --pattern --patterns -i --ignore-patterns --signal --interval", verb="auto-restart"
    ),
    # others
    "xvfb-run": _wrapper(
        "-n --server-num -s --server-args -e --error-file -f --auth-file -p --xauth-protocol -w --wait"
    ),
    "xvfb-run-safe": _wrapper(),
    "catchsegv": _wrapper(),
    "bundle": _wrapper(verb="exec"),
    "npx": _wrapper("-p --package"),
}  # fmt: skip
"""Their own manuals and `--help`, in November 2026."""

SHELLS: Final = frozenset({"sh", "bash", "ash", "dash", "zsh", "ksh", "busybox"})
_SHELL_VALUED: Final = frozenset({"-o", "+o", "-O", "+O", "--rcfile", "--init-file"})


def program_name(word: str) -> str:
    """A program's name without its folder and the suffix of a script: `./wait-for-it.sh` is `wait-for-it`."""
    return word.rpartition("/")[2].removesuffix(".sh")


def unwrap_command(command: ShellCommand) -> ShellCommand | None:
    """The command that a wrapper runs, in the folder in which it runs it; None if the command is no wrapper."""
    name, *rest = command.words
    wrapper = WRAPPERS.get(program_name(name))
    if wrapper is None:
        return None
    if wrapper.after_dashes:
        return replace(command, words=tuple(rest[rest.index("--") + 1 :])) if "--" in rest else None
    reader = _WrapperReader(wrapper, rest, command.folder, wrapper.verb, wrapper.before)
    if not reader.read():
        return None
    words = reader.words
    if program_name(name) == "hatch" and words:  # `hatch run prod:gunicorn …` names the environment before the command
        words[0] = words[0].rpartition(":")[2]
    return replace(command, words=tuple(words), folder=reader.folder)


@dataclass
class _WrapperReader:
    """What is left of a wrapper's words."""

    wrapper: Wrapper
    words: list[str]
    folder: str
    verb: str
    before: int

    def read(self) -> bool:
        """Drop what stands before the command. Returns False if the wrapper runs none."""
        while self.words and (self.verb or self.before or self.words[0].startswith("-")):
            word = self.words.pop(0)
            if word == "--":
                self.words = self.words[self.before :]
                break
            if word.startswith("-"):
                self._drop_option(word)
            elif not self.verb:
                self.before -= 1
            elif word == self.verb:
                self.verb = ""
            else:
                return False
        return not self.verb

    def _drop_option(self, word: str) -> None:
        option, equals, value = word.partition("=")
        if word in {"-m", "--module"} and self.wrapper is WRAPPERS["uv"]:
            self.words = ["python", "-m", *self.words]
        elif word in {"-S", "--split-string"} and self.wrapper is WRAPPERS["env"] and self.words:
            self.words = [*self.words[0].split(), *self.words[1:]]
        elif option in self.wrapper.valued:
            value = value if equals else self.words.pop(0) if self.words else ""
            self.folder = join_folder(self.folder, value) if option in self.wrapper.folders else self.folder


def shell_text(words: tuple[str, ...]) -> str | None:
    """The text that `sh -c TEXT`, `bash -lc TEXT` or `su -c TEXT user` runs; None if there is none."""
    name = program_name(words[0])
    if name in {"su", "runuser"}:
        for option, text in pairwise(words):
            if option in {"-c", "--command"}:
                return text
        return next((word.partition("=")[2] for word in words if word.startswith("--command=")), None)
    if name not in SHELLS:
        return None
    rest = list(words[2:] if name == "busybox" else words[1:])
    takes_text = False
    while rest and rest[0][:1] in "-+" and rest[0] != "--":
        option = rest.pop(0)
        takes_text |= not option.startswith("--") and option.startswith("-") and "c" in option
        if option in _SHELL_VALUED and rest:
            rest.pop(0)
    if rest[:1] == ["--"]:
        rest.pop(0)
    return rest[0] if takes_text and rest else None


def shell_script(words: tuple[str, ...]) -> tuple[str, ...] | None:
    """The script that a shell runs, and its arguments; None if the words run none."""
    name = program_name(words[0])
    if words[0].endswith(".sh"):
        return words
    if name in {".", "source"} or name in SHELLS:
        rest = list(words[2:] if name == "busybox" else words[1:])
        while rest and rest[0][:1] in "-+" and rest[0] != "-":
            option = rest.pop(0)
            if option in _SHELL_VALUED and rest:
                rest.pop(0)
        return tuple(rest) or None
    return None
