"""conda's environment.yml: what pip can install of it, under pip's names, and what it cannot."""

from __future__ import annotations

import re
from typing import Final

from packaging.utils import canonicalize_name

from mldeploy.project.detect.dependency import Dependency, Listing, Origin, unique
from mldeploy.project.detect.documents import items, load_yaml
from mldeploy.project.detect.findings import Source
from mldeploy.project.detect.requirements_txt import parsed
from mldeploy.project.detect.specifiers import conda
from mldeploy.project.detect.tree import File, Tree

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

_OF_CONDA_ALONE: Final = re.compile(
    r"_.*|lib(?!rosa$|sass$|cst$|clang$|tmux$|magic$).*|r-.*|mkl|mkl[-_](?:service|fft|random)|intel-openmp|blas|openblas|nomkl|cudatoolkit"
    r"|cuda(?:-.*)?|cudnn|nccl|pytorch-cuda|pytorch-mutex|openssl|ca-certificates|ld_impl_.*|ncurses|readline|tk|xz|zlib|zstd|bzip2|sqlite"
    r"|gcc.*|gxx.*|gfortran.*|binutils.*|sysroot.*|clang.*|llvm-openmp|compilers|make|cmake|ninja|git|nodejs|graphviz|ffmpeg|gdal|geos|proj"
    r"|hdf5|freetype|jpeg|icu|fontconfig|expat|pcre2?|glib|dbus|qt(?:-main)?|pyqt|sip|vc|vs2015_runtime|ucrt|m2w64.*|msys2.*|openjdk|krb5"
    r"|lz4-c|lcms2|giflib|gettext|gmp|mpfr|mpc|cairo|pango|harfbuzz|pixman|xorg-.*|yaml|snappy-c|abseil-cpp|arrow-cpp|aws-.*|re2|thrift-cpp"
    r"|boost-cpp|c-ares|gflags|glog|grpc-cpp|orc|utf8proc|wheel|brotli-bin|poppler|tesseract|libgomp",
    re.IGNORECASE,
)
"""Libraries and tools that conda installs beside Python: no index for pip has them under these names."""

_ITSELF: Final = frozenset({"python", "pip", "setuptools", "wheel", "conda", "python_abi"})
_SPEC = re.compile(r"(?:[\w./-]+::)?([A-Za-z0-9_.-]+)\s*(.*)")


def listing(tree: Tree, file: File) -> Listing:
    """What the environment needs of pip; `left_out` names the rest."""
    lines = tree.lines(file)
    found: list[Dependency] = []
    left_out: list[tuple[str, Source]] = []
    for entry in items(load_yaml(tree.text(file)), "dependencies"):
        if isinstance(entry, str):
            name, specifier = split(entry)
            source = Source(file.path, _line(lines, entry))
            pip_name = _PIP_NAMES.get(name, name)
            if name in _ITSELF or not pip_name:
                continue
            if name not in _PIP_NAMES and _OF_CONDA_ALONE.fullmatch(name):
                left_out.append((name, source))
            else:
                found.append(Dependency(canonicalize_name(pip_name), specifier, source))
        else:
            texts = (text for text in items(entry, "pip") if isinstance(text, str))
            found += [each for text in texts if (each := parsed(text, Source(file.path, _line(lines, text))))]
    return Listing(Origin.CONDA, file.path, unique(found), left_out=tuple(left_out), complete=len(found) > 40)


def python_version(tree: Tree, file: File) -> tuple[str, Source] | None:
    """What the environment says of Python itself, as a PEP 440 specifier."""
    for entry in items(load_yaml(tree.text(file)), "dependencies"):
        if isinstance(entry, str) and split(entry)[0] == "python":
            return split(entry)[1], Source(file.path, _line(tree.lines(file), entry))
    return None


def split(entry: str) -> tuple[str, str]:
    """conda's `channel::name=1.2=build` as a name in lower case and a PEP 440 specifier."""
    match = _SPEC.fullmatch(entry.strip())
    return (match[1].lower(), conda(match[2])) if match else ("", "")


def _line(lines: list[str], entry: str) -> int:
    return next((number for number, line in enumerate(lines, start=1) if entry in line), 0)
