"""Which of PyTorch's builds an image gets. The usual index has those for GPUs, which are gigabytes larger."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mldeploy.config.settings import Build
from mldeploy.image.context import Member, Text

CPU = "cpu"

_SAYS_WHERE = re.compile(
    r"^\s*(-i|-f|--index-url|--extra-index-url|--find-links)\b"
    r"|^\s*torch(vision|audio)?\b[^#;]*(\+\w|@)",
    re.MULTILINE,
)
"""A requirements file that names an index, or the build itself: `torch==2.3.0+cu121`."""


def torch_backend(build: Build, requirements: Iterable[Member]) -> str:
    """`cpu`, or nothing where the image is for a GPU or where somebody else has said where PyTorch comes from.

    https://docs.astral.sh/uv/guides/integration/pytorch/
    """
    if build.gpu or build.index or build.extra_indexes:
        return ""
    if any(name.startswith(("UV_", "PIP_")) and re.search("INDEX|TORCH|FIND_LINKS", name) for name, _ in build.args):
        return ""
    texts = (_content(each).decode(errors="replace") for each in requirements if each.path.endswith((".txt", ".in")))
    return "" if any(_SAYS_WHERE.search(text) for text in texts) else CPU


def _content(member: Member) -> bytes:
    return member.content if isinstance(member, Text) else b"".join(member.chunks())
