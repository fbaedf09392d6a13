"""Where a package comes from: an index, a repository, an address, a folder. What cannot be kept is refused.

A package that loses its source is taken from the default index by its bare name, where a stranger may own that name.
So every reader of a list states the source of each entry, and a kind of source that a reader does not know is an error.
Standards: PEP 508 (direct references), PEP 440 (hashes in fragments); docs/decisions/0030 has the reasons.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from mldeploy.project.detect.dependencies.dependency import Dependency, DependencyList, Origin
from mldeploy.project.detect.documents import text_at
from mldeploy.project.detect.findings import Remark, Severity, Source
from mldeploy.project.detect.tree import Tree

REFUSED = "package-source"
"""The code of a remark about a source that cannot be kept: nothing is built from such a list."""

_DEFAULT = re.compile(r"https://pypi[.](?:python[.])?org/simple/?")
_USER = re.compile(r"(?P<scheme>(?:git\+)?https?://)(?P<user>[^/?#]*)@")
_VARIABLE = re.compile(r"\$\{?\w+\}?")
_PLAIN_USERS = frozenset({"git", "oauth2accesstoken", "__token__", "aws", "VssSessionToken", "_json_key_base64"})
"""Names that are no secret: what belongs to them is in another file."""
_CONDA_BUILD = re.compile(r"/(?:croot|feedstock_root|conda-bld|conda)/")
_WEB = ("https", "http")
_SCP = re.compile(r"(?:git\+)?(?P<user>[\w.-]+@)?(?P<host>[\w.-]+):(?P<path>(?!//)[^\s]+)")
_EXPORTS = {
    Origin.UV_LOCK: "uv export --frozen --no-dev --no-emit-project --emit-index-url -o requirements.txt",
    Origin.POETRY_LOCK: "poetry export -o requirements.txt",
    Origin.PYLOCK: "uv pip compile pylock.toml -o requirements.txt",
    Origin.PIPFILE_LOCK: "pipenv requirements > requirements.txt",
    Origin.PIPFILE: "pipenv lock && pipenv requirements > requirements.txt",
    Origin.PYPROJECT: "uv pip compile pyproject.toml -o requirements.txt",
}


@dataclass(frozen=True)
class PackageSource:
    """Where one package comes from. All empty: the default index.

    index: the URL of its index, without credentials. url: a direct reference. path: below the project's folder.
    refusal: why it cannot be kept. is_project: it is the project itself. is_virtual: it has nothing to install.
    is_by_hash: the list names no index, and a hash of each file.
    """

    index: str = field(default="", repr=False)
    url: str = field(default="", repr=False)
    path: str = ""
    refusal: str = ""
    is_project: bool = False
    is_virtual: bool = False
    is_by_hash: bool = False


def refuse_source(why: str) -> PackageSource:
    """A source that cannot be kept. why: the end of a sentence that begins with the package's name."""
    return PackageSource(refusal=why)


def unknown_source(keys: Iterable[str]) -> PackageSource:
    """A source of a kind that no reader here understands."""
    return refuse_source(
        f"has a source that mldeploy does not understand ({', '.join(sorted(keys)) or 'none is named'})"
    )


def from_index(url: str) -> PackageSource:
    """A package of an index (PEP 503) at this URL."""
    if _DEFAULT.fullmatch(url):
        return PackageSource()
    if not re.match(r"https?://[^/]", url):
        return refuse_source("comes from an index that is a folder of the machine that wrote the list")
    if has_secret(url):
        return refuse_source("comes from an index whose address holds a user name or a password")
    return PackageSource(index=without_variables(url))


def from_git(url: str, revision: str, subdirectory: str = "") -> PackageSource:
    """A package of a Git repository, as PEP 508 refers to it. revision: a commit, a tag or a branch."""
    address = url.removeprefix("git+")
    if (scp := _SCP.fullmatch(address)) and "://" not in address:
        address = f"ssh://{scp['user'] or ''}{scp['host']}/{scp['path']}"
    scheme = urlsplit(address).scheme
    if scheme not in (*_WEB, "ssh"):
        return refuse_source("comes from a Git repository whose address is neither https:// nor ssh://")
    if has_secret(address) or _VARIABLE.search(address):
        return refuse_source("comes from a Git repository whose address holds a user name, a password or a variable")
    end = f"@{revision}" if revision else ""
    return PackageSource(url=f"git+{address}{end}" + (f"#subdirectory={subdirectory}" if subdirectory else ""))


def from_url(url: str, digest: str = "", subdirectory: str = "") -> PackageSource:
    """A package that is one archive. digest: `sha256:…`."""
    if urlsplit(url).scheme not in _WEB:
        return refuse_source("comes from an address that is neither https:// nor http://")
    if has_secret(url) or _VARIABLE.search(url):
        return refuse_source("comes from an address that holds a user name, a password or a variable")
    parts = [f"subdirectory={subdirectory}"] if subdirectory else []
    parts += [digest.replace(":", "=", 1)] if digest and "#" not in url else []
    joint = "&" if "#" in url else "#"
    return PackageSource(url=url + (joint + "&".join(parts) if parts else ""))


def from_path(tree: Tree, path: str, subdirectory: str = "") -> PackageSource:
    """A package that is a folder or an archive below the project's folder. path: from the list's own folder."""
    local = path.removeprefix("file://").replace("\\", "/")
    below = posixpath.normpath(posixpath.join(tree.base, local, subdirectory))
    if below == (tree.base or "."):
        return PackageSource(is_project=True)
    if below == ".":
        return refuse_source("comes from the whole folder, of which the list is only a part")
    if below.startswith(("../", "/")) or below == ".." or re.match(r"[A-Za-z]:|~", below):
        return refuse_source(f"comes from {path}, which lies outside of the folder: the image does not have it")
    if not any(file.path == below or file.path.startswith(f"{below}/") for file in tree.files):
        return refuse_source(f"comes from {path}, which is not in the folder")
    return PackageSource(path=below)


def from_reference(tree: Tree, url: str) -> PackageSource:
    """A direct reference (PEP 508) as it is written; "" for none."""
    if not url:
        return PackageSource()
    if url.startswith("git+"):
        address, _, fragment = url.partition("#")
        head, _, revision = address.rpartition("@")
        subdirectory = dict(part.partition("=")[::2] for part in fragment.split("&")).get("subdirectory", "")
        # What stands after the last `@` is a user's host unless the address has a path before it.
        if "/" in head.partition("://")[2]:
            return from_git(head, revision, subdirectory)
        return from_git(address, "", subdirectory)
    if url.startswith("file:"):
        return from_path(tree, url.removeprefix("file:"))
    if "+" in url.partition("://")[0]:
        return unknown_source([url.partition("+")[0]])
    return from_url(url)


def from_direct_url(installed: Mapping[str, object]) -> PackageSource:
    """Where an installed distribution came from (PEP 610); empty for one of an index."""
    if not installed:
        return PackageSource()
    url, subdirectory = text_at(installed, "url"), text_at(installed, "subdirectory")
    if text_at(installed, "vcs_info", "vcs") == "git":
        return from_git(url, text_at(installed, "vcs_info", "commit_id"), subdirectory)
    if "archive_info" in installed and url.startswith(("http:", "https:")):
        return from_url(url, text_at(installed, "archive_info", "hash").replace("=", ":", 1), subdirectory)
    if _CONDA_BUILD.search(url):
        return PackageSource()  # conda notes where it built a package that is no other than the index's
    return refuse_source("was installed here from a folder or a file of this machine, which the image does not have")


def has_secret(url: str) -> bool:
    """Whether an address holds what may be a password or a token. A variable is none."""
    match = _USER.match(url)
    if match is None:
        return bool(re.match(r"(?:git\+)?ssh://[^/@:]*:[^/@]+@", url))
    user = _VARIABLE.sub("", match["user"]).strip(":")
    return user not in _PLAIN_USERS | {""}


def without_variables(url: str) -> str:
    """An address without the user's name and password, if they are variables: nobody sets them in the build."""
    match = _USER.match(url)
    return match["scheme"] + url[match.end() :] if match and _VARIABLE.search(match["user"]) else url


def with_source(base: Dependency, source: PackageSource) -> Dependency | None:
    """An entry with its source. None for the project itself, and for what has nothing to install."""
    if source.is_project or source.is_virtual:
        return None
    if source.url:
        return replace(base, specifier="", url=source.url, hashes=())
    if source.path:
        return replace(base, specifier="", line=f"./{source.path}", hashes=())
    return replace(base, index=source.index)


def source_remark(name: str, where: Source, source: PackageSource, origin: Origin) -> Remark:
    """That a package's source cannot be kept."""
    return Remark(REFUSED, Severity.ERROR, where, f"{name} {source.refusal}", remedy_for(origin))


def entry_remark(where: Source, what: str, origin: Origin) -> Remark:
    """That something else in a list decides where packages come from, and cannot be kept."""
    return Remark(REFUSED, Severity.ERROR, where, what, remedy_for(origin))


def remedy_for(origin: Origin) -> str:
    """What the user can do instead: requirements.txt counts before every other list, and names every source."""
    export = f" (`{_EXPORTS[origin]}`)" if origin in _EXPORTS else ""
    return f"Write a requirements.txt that names where it comes from{export}; private indexes go into [build]."


def bind_indexes(listing: DependencyList) -> DependencyList:
    """The list with the options that make each package come from its own index.

    All of one index: that one replaces the default. Of several: a package of an index other than the default needs its
    hash, or the default index could answer for it.
    """
    plain = [each for each in listing.dependencies if not each.url and not each.line]
    indexes = sorted({each.index for each in plain})
    own = [each for each in indexes if each]
    if not own:
        return listing
    if len(indexes) == 1:
        options = (f"--index-url {own[0]}", *listing.options)
        return replace(listing, options=options, remarks=(*listing.remarks, *_index_notes(plain)))
    loose = [each for each in plain if each.index and not each.hashes]
    remarks = tuple(_unhashed_remark(each, listing.origin) for each in loose)
    first = () if "" in indexes else (f"--index-url {own.pop(0)}",)
    options = (*first, *(f"--extra-index-url {each}" for each in own), *listing.options)
    return replace(listing, options=options, remarks=(*listing.remarks, *(remarks or _index_notes(plain))))


def _index_notes(dependencies: Iterable[Dependency]) -> Iterator[Remark]:
    """What to write for each index that needs credentials: no list may hold them."""
    first = {each.index: each.source for each in reversed(tuple(dependencies)) if each.index}
    for index, where in sorted(first.items()):
        with_name = re.sub(r"^(https?://)(?:[^/@]*@)?", r"\1${NAME}@", index)
        what = f"packages come from {index}, which the image asks for them"
        todo = f'If it needs credentials, add to [build]: `extra_index_urls = ["{with_name}"]`.'
        yield Remark("package-index", Severity.NOTE, where, what, todo)


def _unhashed_remark(each: Dependency, origin: Origin) -> Remark:
    what = (
        f"{each.name} comes from {each.index}, other packages from another index, and the list has no hash of it: "
        "a package of the same name in the other index could be installed instead"
    )
    host = urlsplit(each.index).netloc.rpartition("@")[2]
    again = "" if origin in {Origin.PYPROJECT, Origin.PIPFILE} else " again"
    todo = (
        f"Lock the dependencies{again}, which records hashes; or write a requirements.txt with hashes, and in [build] "
        f'`extra_index_urls = ["{each.index}"]` (with `${{NAME}}@` before {host} if it needs credentials).'
    )
    return Remark(REFUSED, Severity.ERROR, each.source, what, todo)


def summarize_sources(dependencies: Iterable[Dependency]) -> str:
    """Where the packages come from that are not of the default index: `2 from git, 1 from index https://…`."""
    counts: dict[str, int] = {}
    for each in dependencies:
        if kind := _kind(each):
            counts[kind] = counts.get(kind, 0) + 1
    return ", ".join(f"{count} from {kind}" for kind, count in sorted(counts.items()))


def _kind(each: Dependency) -> str:
    address = each.url or each.line
    if address.startswith("git+"):
        return "git"
    if re.match(r"https?://", address):
        return f"https://{urlsplit(address).netloc.rpartition('@')[2]}"
    if address:
        return "the folder"
    return f"index {each.index}" if each.index else ""


def join_entry_markers(entry: Mapping[str, object], *more: str) -> str:
    """One marker that holds where all of several do."""
    known = [each for each in (entry.get("markers"), entry.get("marker"), *more) if isinstance(each, str) and each]
    return known[0] if len(known) == 1 else " and ".join(f"({each})" for each in known)
