"""What uv and pip say while they install packages, as progress.

In a build uv prints a line as it begins and ends each file of a mebibyte or more, and no bar.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from mldeploy.core.events import Progress

_RESOLVED = re.compile(r"Resolved (\d+) packages? in ")
_DOWNLOADING = re.compile(r"Downloading (\S+) \(([\d.]+)(B|KiB|MiB|GiB)\)")
_DOWNLOADED = re.compile(r"Downloaded (\S+)")
_BUILDING = re.compile(r"Building ([\w.-]+)(?:==\S+| @ \S+)$")
_BUILT = re.compile(r"Built ([\w.-]+)(?:==\S+| @ \S+)$")
_PREPARED = re.compile(r"Prepared \d+ packages? in ")
_PIP_COLLECTING = re.compile(r"Collecting ([\w.-]+)")
_PIP_INSTALLING = re.compile(r"Installing collected packages: (.+)")
_UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_NAMED = 3
"""So many packages are named at once."""


@dataclass
class InstallProgress:
    """Follows the lines of one `uv pip install` after the other."""

    _count: int = 0
    _sizes: dict[str, int] = field(default_factory=dict)
    """Bytes of each file that uv has announced: those of a mebibyte or more."""
    _waiting: dict[str, None] = field(default_factory=dict)
    """Names of what is being downloaded, in the order in which it began."""
    _building: dict[str, None] = field(default_factory=dict)

    def read(self, line: str) -> Progress | None:
        """Return the progress that a line of the build tells of; None if it tells of none."""
        line = line.strip()
        if resolved := _RESOLVED.match(line):
            self._count = int(resolved[1])
            self._sizes.clear()
            return Progress("", f"Downloading {_packages(self._count)}")
        if downloading := _DOWNLOADING.match(line):
            self._sizes[downloading[1]] = round(float(downloading[2]) * _UNITS[downloading[3]])
            self._waiting[downloading[1]] = None
        elif downloaded := _DOWNLOADED.match(line):
            self._waiting.pop(downloaded[1], None)
        elif building := _BUILDING.match(line):
            self._building[building[1]] = None
        elif built := _BUILT.match(line):
            self._building.pop(built[1], None)
        elif _PREPARED.match(line):
            return Progress("", f"Installing {_packages(self._count)}")
        else:
            return _read_pip(line)
        return self._now()

    def _now(self) -> Progress:
        total = sum(self._sizes.values())
        left = sum(self._sizes[name] for name in self._waiting)
        if self._waiting:
            return Progress("", f"Downloading {_list_names(self._waiting)}", total - left, total, in_bytes=True)
        if self._building:
            return Progress("", f"Building {_list_names(self._building)} from source")
        return Progress("", f"Downloading {_packages(self._count)}", total, total, in_bytes=True)


def _read_pip(line: str) -> Progress | None:
    if collecting := _PIP_COLLECTING.match(line):
        return Progress("", f"Downloading {collecting[1]}")
    if installing := _PIP_INSTALLING.match(line):
        return Progress("", f"Installing {_packages(len(installing[1].split(', ')))}")
    return None


def _packages(count: int) -> str:
    return "1 package" if count == 1 else f"{count} packages"


def _list_names(names: dict[str, None]) -> str:
    shown = ", ".join(list(names)[:_NAMED])
    return f"{shown} and {len(names) - _NAMED} more" if len(names) > _NAMED else shown
