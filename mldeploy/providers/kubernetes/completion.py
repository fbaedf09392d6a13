"""The contexts of the kubeconfig."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from mldeploy.core.files import STATE_LIMIT, read_text
from mldeploy.providers.completion import CompletedOption, CompletionRequest, CompletionValue
from mldeploy.providers.kubernetes.documents import rows, text

_VARIABLE, _DEFAULT_PATH = "KUBECONFIG", "~/.kube/config"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The one in C, where there is one, reads a file with hundreds of contexts ten times as fast."""


def complete(request: CompletionRequest) -> Iterable[CompletionValue]:
    """`mldeploy.providers.completion.CompletionSource`."""
    if request.option is not CompletedOption.CONTEXT:
        return ()
    documents = list(_read_files())
    current = next(filter(None, (text(each, "current-context") for each in documents)), "")
    contexts = [each for document in documents for each in rows(document, "contexts")]
    return [CompletionValue(text(each, "name"), _describe(each, current)) for each in contexts]


def _read_files() -> Iterator[object]:
    """Yield the files of the kubeconfig that can be read."""
    for name in (os.environ.get(_VARIABLE) or _DEFAULT_PATH).split(os.pathsep):
        try:
            yield yaml.load(read_text(Path(name).expanduser(), limit=STATE_LIMIT), _LOADER)  # noqa: S506 - a safe one
        except (OSError, ValueError, RuntimeError, RecursionError, yaml.YAMLError):
            continue


def _describe(context: object, current: str) -> str:
    cluster = text(context, "context", "cluster")
    about = f"cluster {cluster}" if cluster else "context"
    return f"current, {about}" if text(context, "name") == current else about
