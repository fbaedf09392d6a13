"""conda's environment.yml: what pip can install of it, under pip's names, and what it cannot."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from packaging.utils import canonicalize_name

from mldeploy.project.detect.dependencies import requirements_txt
from mldeploy.project.detect.dependencies.dependency import Dependency, DependencyList, Origin, conda_to_pep440
from mldeploy.project.detect.dependencies.package_sources import (
    PackageSource,
    entry_remark,
    from_path,
    from_reference,
    has_secret,
    source_remark,
    with_source,
)
from mldeploy.project.detect.dependencies.requirements_txt import EDITABLE_OPTION, EDITABLE_PROBLEM, PROJECT_PROBLEM
from mldeploy.project.detect.documents import list_at, load_yaml
from mldeploy.project.detect.findings import Remark, Severity, Source
from mldeploy.project.detect.tree import Tree, TreeFile

FILES: Final = ("environment.yml", "environment.yaml", "conda.yml", "conda.yaml", "env.yml", "env.yaml")

_PIP_NAMES: Final = {
    "pytorch": "torch", "pytorch-cpu": "torch", "pytorch-gpu": "torch", "opencv": "opencv-python-headless",
    "py-opencv": "opencv-python-headless", "libopencv": "", "msgpack-python": "msgpack",
    "matplotlib-base": "matplotlib", "py-xgboost": "xgboost", "py-xgboost-cpu": "xgboost",
    "python-graphviz": "graphviz", "tensorflow-gpu": "tensorflow", "tensorflow-base": "tensorflow",
    "tensorflow-mkl": "tensorflow", "numpy-base": "", "scikit-learn-intelex": "scikit-learn-intelex",
    "seaborn-base": "seaborn", "dask-core": "dask", "jupyterlab": "jupyterlab", "pytables": "tables",
    "snappy": "python-snappy", "ruamel_yaml": "ruamel.yaml", "brotlipy": "brotlipy",
    "python-flatbuffers": "flatbuffers", "pytorch-lightning": "pytorch-lightning", "streamlit": "streamlit",
    "fastparquet": "fastparquet", "pyarrow-core": "pyarrow", "importlib_metadata": "importlib-metadata",
    "prompt_toolkit": "prompt-toolkit", "typing_extensions": "typing-extensions",
    "huggingface_hub": "huggingface-hub",
}  # fmt: skip
"""Packages that pip has under another name; "" for a part of another package that conda lists by itself."""

_CONDA_ONLY: Final = re.compile(
    r"_.*|lib(?!rosa$|sass$|cst$|clang$|tmux$|magic$).*|r-.*|mkl|mkl[-_](?:service|fft|random)|intel-openmp|blas|openblas|nomkl|cudatoolkit"
    r"|cuda(?:-.*)?|cudnn|nccl|pytorch-cuda|pytorch-mutex|openssl|ca-certificates|ld_impl_.*|ncurses|readline|tk|xz|zlib|zstd|bzip2|sqlite"
    r"|gcc.*|gxx.*|gfortran.*|binutils.*|sysroot.*|clang.*|llvm-openmp|compilers|make|cmake|ninja|git|nodejs|graphviz|ffmpeg|gdal|geos|proj"
    r"|hdf5|freetype|jpeg|icu|fontconfig|expat|pcre2?|glib|dbus|qt(?:-main)?|pyqt|sip|vc|vs2015_runtime|ucrt|m2w64.*|msys2.*|openjdk|krb5"
    r"|lz4-c|lcms2|giflib|gettext|gmp|mpfr|mpc|cairo|pango|harfbuzz|pixman|xorg-.*|yaml|snappy-c|abseil-cpp|arrow-cpp|aws-.*|re2|thrift-cpp"
    r"|boost-cpp|c-ares|gflags|glog|grpc-cpp|orc|utf8proc|wheel|brotli-bin|poppler|tesseract|libgomp",
    re.IGNORECASE,
)
"""Libraries and tools that conda installs beside Python: no index for pip has them under these names."""

_PYTHON_TOOLS: Final = frozenset({"python", "pip", "setuptools", "wheel", "conda", "python_abi"})
_PUBLIC_CHANNEL: Final = re.compile(
    r"(?:https?://(?:conda\.anaconda\.org|repo\.anaconda\.com)/(?:pkgs/)?)?"
    r"(?:defaults|nodefaults|main|free|r|msys2|anaconda|conda-forge|pytorch|pytorch-lts|nvidia|bioconda|intel|rapidsai"
    r"|fastai|huggingface|esri|plotly|h2oai|dglteam|pyg)(?:/label/[\w.-]+)?/?"
)
_SPEC = re.compile(r"(?:[^\s\[\]]+::)?([A-Za-z0-9_.-]+)\s*(.*)")


def read_conda(tree: Tree, file: TreeFile) -> DependencyList:
    """What the environment needs of pip; `left_out` names the rest."""
    document, lines = load_yaml(tree.text(file)), tree.lines(file)
    dependencies: list[Dependency] = []
    left_out: list[tuple[str, Source]] = []
    remarks: list[Remark] = []
    options: list[str] = []
    private = _private_channels(document)
    for entry in list_at(document, "dependencies"):
        if isinstance(entry, str):
            source = Source(file.path, _line(lines, entry))
            if refusal := _refuse_package(entry, private, source):
                remarks.append(refusal)
                continue
            name, specifier = split_spec(entry)
            pip_name = _PIP_NAMES.get(name, name)
            if name in _PYTHON_TOOLS or not pip_name:
                continue
            if name not in _PIP_NAMES and _CONDA_ONLY.fullmatch(name):
                left_out.append((name, source))
            else:
                dependencies.append(Dependency(canonicalize_name(pip_name), specifier, source))
        elif isinstance(entry, dict) and entry.keys() == {"pip"}:
            listed = read_pip_section(tree, file, _pip_lines(entry, file, lines))
            dependencies += listed.dependencies
            options += listed.options
            remarks += listed.remarks
        else:
            source = Source(file.path)
            what = "holds an entry of `dependencies` that is neither a package nor a list for pip"
            remarks.append(entry_remark(source, what, Origin.CONDA))
    return DependencyList(
        Origin.CONDA,
        file.path,
        tuple(sorted(dict.fromkeys(dependencies), key=lambda each: each.name)),
        left_out=tuple(left_out),
        remarks=tuple(remarks),
        options=tuple(options),
        complete=len(dependencies) > 40,
    )


def _pip_lines(entry: dict[str, object], file: TreeFile, lines: list[str]) -> Iterator[tuple[str, Source]]:
    for text in list_at(entry, "pip"):
        if isinstance(text, str):
            yield text, Source(file.path, _line(lines, text))


def _private_channels(document: dict[str, object]) -> tuple[str, ...]:
    """Channels other than the well-known public ones: their packages are not pip's packages of the same name."""
    named = (each for each in list_at(document, "channels") if isinstance(each, str))
    return tuple(each for each in named if not _is_public(each))


def _is_public(channel: str) -> bool:
    return bool(_PUBLIC_CHANNEL.fullmatch(channel.strip().lower()))


def _refuse_package(entry: str, private: tuple[str, ...], source: Source) -> Remark | None:
    """Why a package's name cannot be taken for the name of one that pip installs."""
    match = _SPEC.fullmatch(entry.strip())
    if match is None or "[" in entry or "://" in entry:
        return entry_remark(source, "holds an entry that is not NAME=VERSION, with or without a channel", Origin.CONDA)
    channel, separator, _ = entry.strip().rpartition("::")
    name = match[1].lower()
    if name in _PYTHON_TOOLS or (name not in _PIP_NAMES and _CONDA_ONLY.fullmatch(name)):
        return None
    if separator and not _is_public(channel):
        what = f"takes {name} from the channel {_without_secret(channel)}, which pip cannot install from"
        return entry_remark(source, what, Origin.CONDA)
    if not separator and private:
        what = f"may take {name} from the channel {_without_secret(private[0])}, which pip cannot install from"
        todo = f"Write the channel before the name (`conda-forge::{name}`), or a requirements.txt."
        return replace(entry_remark(source, what, Origin.CONDA), todo=todo)
    return None


def _without_secret(channel: str) -> str:
    """A channel without what in its address may be a password or a token."""
    return re.sub(r"//[^/@]*@|/t/[^/]+", lambda match: "//" if match[0].startswith("//") else "/t/…", channel)


def conda_python(tree: Tree, file: TreeFile) -> tuple[str, Source] | None:
    """What the environment says of Python itself, as a PEP 440 specifier."""
    for entry in list_at(load_yaml(tree.text(file)), "dependencies"):
        if isinstance(entry, str) and split_spec(entry)[0] == "python":
            return split_spec(entry)[1], Source(file.path, _line(tree.lines(file), entry))
    return None


def split_spec(entry: str) -> tuple[str, str]:
    """conda's `channel::name=1.2=build` as a name in lower case and a PEP 440 specifier."""
    match = _SPEC.fullmatch(entry.strip())
    return (match[1].lower(), conda_to_pep440(match[2])) if match else ("", "")


def _line(lines: list[str], entry: str) -> int:
    return next((number for number, line in enumerate(lines, start=1) if entry in line), 0)


_INCLUDE = re.compile(r"(-r|--requirement|-c|--constraint)[\s=]*(\S.*)")
_INDEX = re.compile(r"(?:-i|--index-url|--extra-index-url)[\s=]+(\S+)")
_FIND_LINKS = re.compile(r"(?:-f|--find-links)[\s=]*(\S+)")
_TRUSTED_HOST = re.compile(r"--trusted-host[\s=]+(\S+)")
_HARMLESS = re.compile(r"--(?:no-index|pre|prefer-binary|no-cache-dir)|--(?:no-binary|only-binary)[\s=]+\S+")
_HASH = re.compile(r"\s--hash[\s=]+(\S+)")
_ADDRESS = re.compile(r"(?:git\+)?(?:https?|ssh|file)://\S+")
_PATH = re.compile(r"(?:\.{0,2}/|[A-Za-z]:\\)\S*|\S+\.(?:whl|zip|tar\.gz)")
_EGG = re.compile(r"[#&]egg=([A-Za-z0-9._-]+)")
_LAST_NAME = re.compile(r"/([A-Za-z0-9._-]+?)(?:-\d[^/]*)?(?:\.git|\.zip|\.tar\.gz|\.whl)?(?:@[^/]*)?(?:#.*)?$")
_VARIABLE = re.compile(r"\$\{\w+\}")


def read_pip_section(tree: Tree, file: TreeFile, lines: Iterable[tuple[str, Source]]) -> DependencyList:
    """The lines as a list. options: those for a requirements file, as they are."""
    section = _Section(tree)
    for text, source in lines:
        line = re.sub(r"(^|\s)#.*", "", text).strip()
        if line:
            section.line(line, source)
    return DependencyList(
        Origin.CONDA,
        file.path,
        tuple(section.dependencies),
        remarks=tuple(section.remarks),
        options=tuple(section.options),
    )


class _Section:
    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.dependencies: list[Dependency] = []
        self.options: list[str] = []
        self.remarks: list[Remark] = []

    def line(self, line: str, source: Source) -> None:
        if include := _INCLUDE.fullmatch(line):
            self.include(include[1], include[2].strip(), source)
        elif editable := EDITABLE_OPTION.fullmatch(line):
            self.editable(editable[1].strip(), source)
        elif line.startswith("-"):
            self.option(line, source)
        else:
            self.requirement(line, source)

    def include(self, option: str, name: str, source: Source) -> None:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source.path), name))
        if not self.tree.get(path):
            self.refuse(source, f"includes {name if '://' not in name else 'an address'}, which is not in the folder")
            return
        is_constraint = option in {"-c", "--constraint"}
        self.options.append(f"--{'constraint' if is_constraint else 'requirement'} {path}")
        listing = requirements_txt.read_requirements(self.tree, path)
        self.remarks += listing.remarks
        if not is_constraint:
            self.dependencies += [replace(each, is_included=True) for each in listing.dependencies]

    def editable(self, text: str, source: Source) -> None:
        if _ADDRESS.fullmatch(text):
            self.requirement(text, source)
        else:
            what, todo = EDITABLE_PROBLEM
            self.remarks.append(replace(entry_remark(source, what, Origin.CONDA), todo=todo))

    def option(self, line: str, source: Source) -> None:
        if index := _INDEX.fullmatch(line):
            self.index(line, index[1], source)
        elif links := _FIND_LINKS.fullmatch(line):
            self.find_links(links[1], source)
        elif host := _TRUSTED_HOST.fullmatch(line):
            what = f"turns off the verification of certificates for {host[1]}"
            todo = "Remove the line, and name the host's certificates in build.ca_bundle."
            self.remarks.append(replace(entry_remark(source, what, Origin.CONDA), todo=todo))
        elif _HARMLESS.fullmatch(line):
            self.options.append(line)
        else:
            name = re.split(r"[\s=]", line)[0]
            self.refuse(source, f"has an option for pip that mldeploy does not understand ({name})")

    def index(self, line: str, url: str, source: Source) -> None:
        if has_secret(url):
            self.refuse(source, "names an index whose address holds a user name or a password")
        elif _VARIABLE.search(url):
            key, value = ("index_url", f'"{url}"') if "extra" not in line else ("extra_index_urls", f'["{url}"]')
            what = "names an index whose address has a variable, which the build does not have"
            todo = f"Remove the line, and write in [build]: `{key} = {value}`."
            self.remarks.append(replace(entry_remark(source, what, Origin.CONDA), todo=todo))
        else:
            self.options.append(line)

    def find_links(self, address: str, source: Source) -> None:
        if has_secret(address) or _VARIABLE.search(address):
            self.refuse(source, "names an address that holds a user name, a password or a variable")
        elif re.match(r"https?://", address):
            self.options.append(f"--find-links {address}")
        else:
            local = from_path(self.tree, address)
            if local.path:
                self.options.append(f"--find-links ./{local.path}")
            else:
                self.refuse(source, "looks for packages in a folder that the image does not have")

    def requirement(self, line: str, source: Source) -> None:
        text, hashes = _HASH.sub("", line).strip(), tuple(_HASH.findall(line))
        head = text.partition(";")[0].strip()
        if known := requirements_txt.parse_requirement(text, source):
            self.add(replace(known, hashes=hashes), from_reference(self.tree, known.url), source)
        elif _ADDRESS.fullmatch(head):
            name = _EGG.search(head) or _LAST_NAME.search(head)
            kept = from_reference(self.tree, head)
            base = Dependency(canonicalize_name(name[1]) if name else "", "", source)
            if kept.refusal or kept.path:
                self.add(base, kept, source)
            else:
                self.dependencies.append(replace(base, line=re.sub(r"[#&]egg=[^&]*", "", head)))
        elif _PATH.fullmatch(head):
            name = _LAST_NAME.search(f"/{head}")
            self.add(
                Dependency(canonicalize_name(name[1]) if name else "", "", source), from_path(self.tree, head), source
            )
        else:
            self.refuse(source, "is not a requirement that pip understands")

    def add(self, base: Dependency, kept: PackageSource, source: Source) -> None:
        if kept.refusal:
            self.remarks.append(source_remark(base.name, source, kept, Origin.CONDA))
        elif made := with_source(base, kept):
            self.dependencies.append(made)
        else:
            what, todo = PROJECT_PROBLEM
            self.remarks.append(Remark("requirement-itself", Severity.ERROR, source, what, todo))

    def refuse(self, source: Source, what: str) -> None:
        self.remarks.append(entry_remark(source, what, Origin.CONDA))
