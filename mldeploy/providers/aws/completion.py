"""The profiles and regions of AWS that are known on this machine.

https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
"""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from mldeploy.core.files import read_text
from mldeploy.core.parsing import parse_json
from mldeploy.providers.completion import CompletedOption, CompletionRequest, CompletionValue, section_names

_REGION = re.compile(r"[a-z]{2,5}(-[a-z]+)+-[0-9]+")
_CONFIG, _CREDENTIALS = ("AWS_CONFIG_FILE", "~/.aws/config"), ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")


def complete(request: CompletionRequest) -> Iterable[CompletionValue]:
    """`mldeploy.providers.completion.CompletionSource`."""
    if request.option is CompletedOption.PROFILE:
        return [CompletionValue(name, "AWS profile") for name in sorted(_profiles())]
    return _regions() if request.option is CompletedOption.REGION else ()


def _profiles() -> set[str]:
    return {*filter(None, map(_profile_name, section_names(_path(*_CONFIG)))), *section_names(_path(*_CREDENTIALS))}


def _profile_name(section: str) -> str:
    """Return the profile of a section of the config file, "" for other sections: `[profile "a b"]`."""
    try:
        words = shlex.split(section)
    except ValueError:
        return ""
    if words == ["default"]:
        return "default"
    return words[1] if len(words) == 2 and words[0] == "profile" else ""


def _regions() -> Iterator[CompletionValue]:
    """Yield the regions that botocore knows. Its data is read without importing it."""
    spec = importlib.util.find_spec("botocore")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        document = parse_json(read_text(Path(folder) / "data" / "partitions.json"))
        for partition in document["partitions"] if isinstance(document, dict) else ():
            for name, region in partition["regions"].items():
                if _REGION.fullmatch(name):
                    yield CompletionValue(name, str(region.get("description", "")))


def _path(variable: str, usual: str) -> Path:
    return Path(os.environ.get(variable) or usual).expanduser()
