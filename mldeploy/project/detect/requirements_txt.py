"""Requirements files in pip's format, with what they include and what constrains them.

`packaging` reads the requirements themselves. The lines around them (options, includes, comments, continuations) are
read here: the parsers in the index either copy pip's internals of years ago or leave includes and constraints out.
https://pip.pypa.io/en/stable/reference/requirements-file-format/
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from mldeploy.project.detect.dependency import Dependency, Listing, Origin
from mldeploy.project.detect.findings import Remark, Severity, Source
from mldeploy.project.detect.tree import Tree
from mldeploy.project.unshippable import EDITABLE, ITSELF, OF_EDITABLE, OF_ITSELF

USUAL = (
    "requirements.txt", "requirements/prod.txt", "requirements/production.txt", "requirements/base.txt",
    "requirements-prod.txt", "requirements.prod.txt", "requirements_prod.txt", "requirement.txt", "Requirements.txt",
)  # fmt: skip
"""Where the file is looked for, in this order."""

MAX_INCLUDES = 50

_INCLUDE = re.compile(r"(-r|--requirement|-c|--constraint)[\s=]*(\S.*)")
_CREDENTIALS = re.compile(r"https?://[^/\s@$]+:[^/\s@$]+@")
_EGG = re.compile(r"[#&]egg=([A-Za-z0-9._-]+)")


def listing(tree: Tree, path: str) -> Listing:
    """What a requirements file and those it includes ask for, in their order."""
    reader = _Reader(tree)
    reader.read(path, constraint=False)
    pins = sum(each.pin is not None for each in reader.dependencies)
    frozen = len(reader.dependencies) >= 20 and pins == len(reader.dependencies)
    return Listing(
        Origin.REQUIREMENTS,
        path,
        tuple(reader.dependencies),
        tuple(reader.constraints),
        remarks=tuple(reader.remarks),
        complete=frozen,
    )


def parsed(text: str, source: Source) -> Dependency | None:
    """One requirement (PEP 508); None if the text is not one."""
    try:
        found = Requirement(text)
    except InvalidRequirement:
        return None
    return Dependency(
        canonicalize_name(found.name),
        str(found.specifier),
        source,
        tuple(sorted(found.extras)),
        str(found.marker or ""),
        found.url or "",
    )


class _Reader:
    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.dependencies: list[Dependency] = []
        self.constraints: list[Dependency] = []
        self.remarks: list[Remark] = []
        self.seen: set[tuple[str, bool]] = set()

    def read(self, path: str, *, constraint: bool) -> None:
        """Read a file once as requirements and once as constraints, whoever includes it how often."""
        file = self.tree.get(path)
        if file is None or (path, constraint) in self.seen or len(self.seen) >= MAX_INCLUDES:
            return
        self.seen.add((path, constraint))
        for number, line in _logical(self.tree.lines(file)):
            self.line(line, Source(path, number), constraint=constraint)

    def line(self, line: str, source: Source, *, constraint: bool) -> None:
        if include := _INCLUDE.fullmatch(line):
            self.include(include[2].strip(), source, constraint=constraint or include[1] in {"-c", "--constraint"})
        elif editable := EDITABLE.fullmatch(line):
            self.editable(editable[1].strip(), source)
        elif line.startswith("-"):
            self.credentials(line, source)
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
            what = "holds a user name and a password for where packages are taken from"
            todo = "Take them out and give them to the build instead; change the password if the file was shared."
            self.add("secret-in-file", Severity.ERROR, source, what, todo)

    def requirement(self, text: str, source: Source, *, constraint: bool) -> None:
        self.credentials(text, source)
        found = parsed(text, source)
        if found is None:
            self.place(text, source)
            return
        if found.url.startswith("file:"):
            what = f"takes {found.name} from a path of the machine that wrote the list, which the image does not have"
            todo = "Write the list with `pip list --format=freeze`, or put the version in: `NAME==VERSION`."
            self.add("requirement-local", Severity.ERROR, source, what, todo)
        (self.constraints if constraint else self.dependencies).append(found)

    def editable(self, text: str, source: Source) -> None:
        if "://" in text:
            self.place(text, source)
            return
        self.add("requirement-editable", Severity.ERROR, source, *OF_EDITABLE)

    def place(self, text: str, source: Source) -> None:
        """A requirement by its place: a URL, a folder, an archive. Its name is known only where the line says it."""
        if ITSELF.match(text):
            self.add("requirement-itself", Severity.ERROR, source, *OF_ITSELF)
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
                    "requirement-local", Severity.ERROR, source, what, "Put it into the folder, or name a version."
                )
        else:
            what = "is not a requirement that pip understands"
            self.add("requirement-invalid", Severity.ERROR, source, what, "Write `NAME==VERSION`.")

    def _is_here(self, text: str, source: Source) -> bool:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source.path), re.sub(r"\[.*|\s.*", "", text)))
        return path == "." or any(file.path == path or file.path.startswith(f"{path}/") for file in self.tree.files)

    def add(self, code: str, severity: Severity, source: Source, what: str, todo: str) -> None:
        self.remarks.append(Remark(code, severity, source, what, todo))


def _logical(lines: list[str]) -> Iterator[tuple[int, str]]:
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
