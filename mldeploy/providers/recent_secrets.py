"""The secrets that were stored from this machine, for stores whose list or newest version may be minutes late."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mldeploy.config.result_file import read_results, remove_results, result_file, write_results


@dataclass(frozen=True)
class RecentSecrets:
    """A file in the app's state folder. scope: the account and region. A lost file is no error."""

    app: str
    target: str
    scope: tuple[str, ...]

    def read(self) -> dict[str, str]:
        """The names with the version that was stored last; "" if it was not noted."""
        names = self._read_file().get(self._place)
        return {str(name): str(version) for name, version in names.items()} if isinstance(names, dict) else {}

    def note(self, name: str, version: str = "") -> None:
        """Raises StateError."""
        self._write({**self.read(), name: version})

    def forget(self, name: str) -> None:
        """Raises StateError."""
        self._write({each: version for each, version in self.read().items() if each != name})

    @property
    def _file(self) -> Path:
        return result_file(self.app, f"{self.target}-secrets.json")

    @property
    def _place(self) -> str:
        return "/".join(self.scope)

    def _read_file(self) -> Mapping[str, object]:
        kept = read_results(self._file)
        return kept if isinstance(kept, dict) else {}

    def _write(self, names: Mapping[str, str]) -> None:
        if names == self.read():
            return
        places = {place: each for place, each in self._read_file().items() if place != self._place}
        if names:
            places[self._place] = dict(sorted(names.items()))
        if places:
            write_results(self._file, places)
        else:
            remove_results(self._file)
