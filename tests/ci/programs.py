"""Programs that a runner or a shell has, as small scripts on PATH that write down how they were called."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_SCRIPT = """\
#!/usr/bin/env bash
printf '%s\\n' "$(basename "$0") $(printf '%q ' "$@")" >> {log}
{body}
"""


@dataclass(frozen=True)
class Programs:
    """folder: to stand first on PATH."""

    folder: Path

    @property
    def log(self) -> Path:
        return self.folder.parent / f"{self.folder.name}.log"

    def add(self, name: str, body: str = "") -> None:
        """A program: lines of bash, which see its arguments."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / name
        path.write_text(_SCRIPT.format(log=self.log, body=body))
        path.chmod(0o755)

    @property
    def calls(self) -> list[str]:
        """How each was called, in order."""
        return [line.strip() for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def of(self, *words: str) -> list[str]:
        """The calls that begin so."""
        return [call for call in self.calls if call.startswith(" ".join(words))]
