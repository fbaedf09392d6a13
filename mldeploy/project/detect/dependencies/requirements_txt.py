"""Requirements files in pip's format, with what they include and what constrains them.

`packaging` reads the requirements themselves. The lines around them (options, includes, comments, continuations) are
read here: the parsers in the index either copy pip's internals of years ago or leave includes and constraints out.
https://pip.pypa.io/en/stable/reference/requirements-file-format/
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from mldeploy.project.detect.dependencies.dependency import Dependency, DependencyList, Origin
from mldeploy.project.detect.findings import Remark, Severity, Source
from mldeploy.project.detect.tree import Tree

REQUIREMENTS_FILES = (
    "requirements.txt", "requirements.lock", "requirements/prod.txt", "requirements/production.txt",
    "requirements/requirements.txt", "requirements/base.txt", "requirements/main.txt", "requirements/common.txt",
    "requirements-prod.txt", "requirements.prod.txt", "requirements_prod.txt", "requirement.txt", "Requirements.txt",
    "prod.txt",
)  # fmt: skip
"""Where the file is looked for, in this order."""

UNCOMPILED_FILES = (
    "requirements.in", "requirements/prod.in", "requirements/production.in", "requirements/requirements.in",
    "requirements/base.in", "requirements/main.in",
)  # fmt: skip
"""What a requirements file is compiled from."""

_OTHER_FILE = re.compile(r"requirements/[^/]+\.(?:txt|in|lock)|[^/]*requirements?[^/]*\.(?:txt|in|lock)", re.IGNORECASE)
_OTHER_PURPOSE = re.compile(
    r"(?:^|[^a-z])(?:dev|develop|development|tests?|testing|lint|docs?|ci|build|notebooks?|train|training|constraints?"
    r"|typing|benchmarks?|examples?|optional|all)(?:[^a-z]|$)",
    re.IGNORECASE,
)
"""Words in the name of a list that is not for running the app."""


def find_other_files(tree: Tree, folder: str) -> tuple[str, ...]:
    """Further requirements files of a folder, under names that are nobody's convention, the likeliest first."""
    prefix = f"{folder}/" if folder else ""
    names = (file.path.removeprefix(prefix) for file in tree.files if file.path.startswith(prefix))
    usual = {*REQUIREMENTS_FILES, *UNCOMPILED_FILES}
    matching = [name for name in names if _OTHER_FILE.fullmatch(name) and name not in usual]
    return tuple(f"{prefix}{name}" for name in matching if not _OTHER_PURPOSE.search(name.partition("/")[2] or name))


MAX_INCLUDES = 50

_INCLUDE = re.compile(r"(-r|--requirement|-c|--constraint)[\s=]*(\S.*)")
_CREDENTIALS = re.compile(r"https?://[^/\s@$]+:[^/\s@$]+@")
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
_EGG = re.compile(r"[#&]egg=([A-Za-z0-9._-]+)")


def read_requirements(tree: Tree, path: str) -> DependencyList:
    """What a requirements file and those it includes ask for, in their order."""
    reader = _RequirementsReader(tree)
    reader.read(path, constraint=False)
    pins = sum(each.pin is not None for each in reader.dependencies)
    frozen = len(reader.dependencies) >= 20 and pins == len(reader.dependencies)
    return DependencyList(
        Origin.REQUIREMENTS,
        path,
        tuple(reader.dependencies),
        tuple(reader.constraints),
        remarks=tuple(reader.remarks),
        options=tuple(reader.options),
        complete=frozen,
    )


def parse_requirement(text: str, source: Source) -> Dependency | None:
    """One requirement (PEP 508); None if the text is not one."""
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return None
    return Dependency(
        canonicalize_name(requirement.name),
        str(requirement.specifier),
        source,
        tuple(sorted(requirement.extras)),
        str(requirement.marker or ""),
        requirement.url or "",
    )


_FREEZE = "Remove the line, or write the list with `pip freeze` in a virtual environment of the app's own."
_CONDA_LINE = re.compile(r"([A-Za-z0-9._-]+)=(\d[\w.!+]*)=[\w.]+")
_SYSTEM_VERSION = re.compile(r"\+ubuntu|\+deb|\+dfsg|\+really|\d(?:build|ubuntu)\d", re.IGNORECASE)
_SYSTEM_NAMES = frozenset({
    "pkg-resources", "python-apt", "command-not-found", "ubuntu-drivers-common", "ubuntu-advantage-tools",
    "ubuntu-pro-client", "distro-info", "unattended-upgrades", "ufw", "language-selector", "ssh-import-id", "xkit",
    "screen-resolution-extra", "usb-creator", "cupshelpers", "apturl", "brlapi", "cloud-init", "reportbug",
    "aptdaemon", "software-properties", "apport", "landscape-client",
})  # fmt: skip
"""Python packages of Debian, Ubuntu and Fedora that their own package managers install."""


def is_system_package(each: Dependency) -> bool:
    """Whether `pip freeze` named it outside of a virtual environment: the operating system brought it."""
    return each.name in _SYSTEM_NAMES or bool(_SYSTEM_VERSION.search(each.specifier))


class _RequirementsReader:
    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.dependencies: list[Dependency] = []
        self.constraints: list[Dependency] = []
        self.remarks: list[Remark] = []
        self.options: list[str] = []
        self.seen: set[tuple[str, bool]] = set()

    def read(self, path: str, *, constraint: bool) -> None:
        """Read a file once as requirements and once as constraints, whoever includes it how often."""
        file = self.tree.get(path)
        if file is None or (path, constraint) in self.seen or len(self.seen) >= MAX_INCLUDES:
            return
        self.seen.add((path, constraint))
        for number, line in _logical_lines(self.tree.lines(file)):
            self.line(line, Source(path, number), constraint=constraint)

    def line(self, line: str, source: Source, *, constraint: bool) -> None:
        if include := _INCLUDE.fullmatch(line):
            self.include(include[2].strip(), source, constraint=constraint or include[1] in {"-c", "--constraint"})
        elif editable := EDITABLE_OPTION.fullmatch(line):
            self.editable(editable[1].strip(), source)
        elif line.startswith("-"):
            self.options.append(line)
            self.credentials(line, source)
            self.variables(line, source)
        else:
            self.requirement(re.split(r"\s--?(?=\w)", line)[0].strip(), source, constraint=constraint)

    def include(self, name: str, source: Source, *, constraint: bool) -> None:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source.path), name))
        if self.tree.get(path):
            self.read(path, constraint=constraint)
        elif "://" not in name:
            what = f"includes {name}, which is not in the folder"
            self.add("requirements-missing", Severity.ERROR, source, what, "Add the file, or remove the line.")

    def credentials(self, line: str, source: Source) -> None:
        if _CREDENTIALS.search(line):
            what = "contains the user name and password of a package index"
            todo = "Remove them, and set them in [build] `index_url`. Change the password if the file was shared."
            self.add("secret-in-file", Severity.ERROR, source, what, todo)

    def variables(self, line: str, source: Source) -> None:
        """An option with a variable in its address: uv and pip would take its value, which the build does not have."""
        if names := list(dict.fromkeys(_VARIABLE.findall(line))):
            url = re.split(r"[\s=]", line, maxsplit=1)[-1].strip()
            key = "index_url" if re.match(r"(-i|--index-url)\b", line) else "extra_index_urls"
            value = f'"{url}"' if key == "index_url" else f'["{url}"]'
            names_text = _name_variables(names)
            what = f"uses an index whose address contains {names_text}, which the build does not have"
            todo = f"Remove the line, and write in [build]: `{key} = {value}`."
            self.add("index-variable", Severity.ERROR, source, what, todo)

    def requirement(self, text: str, source: Source, *, constraint: bool) -> None:
        self.credentials(text, source)
        parsed = parse_requirement(text, source)
        if parsed is None:
            self.location_requirement(text, source)
            return
        if is_system_package(parsed):
            what = f"asks for {parsed.name}{parsed.specifier}, which comes with the operating system and is in no index"
            self.add("requirement-system", Severity.ERROR, source, what, _FREEZE)
            return
        if parsed.url.startswith("file:"):
            what = f"takes {parsed.name} from a path of the machine that wrote the list, which the image does not have"
            todo = "Write the list with `pip list --format=freeze`, or put the version in: `NAME==VERSION`."
            self.add("requirement-local", Severity.ERROR, source, what, todo)
        (self.constraints if constraint else self.dependencies).append(parsed)

    def editable(self, text: str, source: Source) -> None:
        if "://" in text:
            self.location_requirement(text, source)
            return
        self.add("requirement-editable", Severity.ERROR, source, *EDITABLE_PROBLEM)

    def location_requirement(self, text: str, source: Source) -> None:
        """A requirement by its place: a URL, a folder, an archive. Its name is known only where the line says it."""
        if PROJECT_REQUIREMENT.match(text):
            self.add("requirement-itself", Severity.ERROR, source, *PROJECT_PROBLEM)
            return
        egg = _EGG.search(text)
        wheel = re.search(r"(?:^|/)([A-Za-z0-9._]+)-(\d[^-/]*)-[^/]+\.whl", text)
        name = egg[1] if egg else wheel[1] if wheel else ""
        if "://" in text or text.startswith((".", "/")) or text.endswith((".whl", ".tar.gz", ".zip")):
            if name:
                self.dependencies.append(Dependency(canonicalize_name(name), "", source, url=text.partition("#")[0]))
            if "://" not in text and not self._is_here(text, source):
                what = "installs from a path that is not in the folder"
                self.add(
                    "requirement-local", Severity.ERROR, source, what, "Copy it into the folder, or use a version."
                )
        else:
            what = "is not a requirement that pip understands"
            todo = "Write `NAME==VERSION`."
            if conda := _CONDA_LINE.fullmatch(text):
                what = "is in the form of `conda list --export`, which pip does not understand"
                todo = f"Write `{conda[1]}=={conda[2]}`, or write the list with `pip list --format=freeze`."
            self.add("requirement-invalid", Severity.ERROR, source, what, todo)

    def _is_here(self, text: str, source: Source) -> bool:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source.path), re.sub(r"\[.*|\s.*", "", text)))
        return path == "." or any(file.path == path or file.path.startswith(f"{path}/") for file in self.tree.files)

    def add(self, code: str, severity: Severity, source: Source, what: str, todo: str) -> None:
        self.remarks.append(Remark(code, severity, source, what, todo))


def _name_variables(names: list[str]) -> str:
    return f"the variable{'s' if len(names) > 1 else ''} {', '.join(names)}"


def _logical_lines(lines: list[str]) -> Iterator[tuple[int, str]]:
    """The lines with their continuations joined and their comments gone, each with the number of its first line."""
    held, start = "", 0
    for number, line in enumerate(lines, start=1):
        start = start if held else number
        if line.rstrip().endswith("\\") and not line.lstrip().startswith("#"):
            held += line.rstrip()[:-1] + " "
            continue
        text = re.sub(r"(^|\s)#.*", "", held + line).strip()
        held = ""
        if text:
            yield start, text
    if held.strip():
        yield start, held.strip()


EDITABLE_OPTION: Final = re.compile(r"(?:-e|--editable)[\s=]*(\S.*)")
EDITABLE_PROBLEM: Final = (
    "an editable requirement refers to a folder that is not in the image",
    "Remove the line. The project's own modules can be imported in the image without installation.",
)
"""What is wrong with it, and what to do."""
PROJECT_REQUIREMENT: Final = re.compile(r"(\./?)(?=$|[\s;\[])")
PROJECT_PROBLEM: Final = (
    "installs the project itself, which is not in the image when the requirements are installed",
    "Remove the line and list the dependencies of the project. Its own modules can be imported without installation.",
)
"""The same."""
