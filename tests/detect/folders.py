"""The corpus: small folders such as people have, each in one file of `corpus/`, with what is to be found in it.

`[files]`, `[bytes]` (in hexadecimal), `[models]` (recipes of `trained.py`) and `[large]` (sizes in bytes) make the
folder; `installed` and `[provides]` the environment beside it; `kept_out` is what a `.dockerignore` excludes.
`[expect]` is what must be found: a key that is not there is not looked at, except `remarks`, which must be complete.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from mldeploy.project.detect.dependencies.distributions import InstalledDistributions
from mldeploy.project.detect.folder import DetectedFolder, DetectionOptions, detect_folder
from tests.detect import trained

CORPUS = Path(__file__).parent / "corpus"
TODAY = date(2026, 11, 21)

# In pieces, so that nothing that looks for keys finds one in this repository.
_KEYS = {
    "@GITHUB@": "ghp_" + "abcdefghijklmnopqrstuvwxyz0123456789",
    "@AWS@": "AKIA" + "ABCDEFGHIJKLMNOP",
    "@BEGIN@": "-----BEGIN RSA PRIVATE " + "KEY-----",
    # As locks have the address of the default index; a committed file may not.
    "@INDEX@": "https://pypi" + ".org/simple",
    "@END@": "-----END RSA PRIVATE " + "KEY-----",
}


@dataclass(frozen=True)
class Case:
    """One folder of the corpus."""

    name: str
    content: dict[str, Any]

    @property
    def expect(self) -> dict[str, Any]:
        expected: dict[str, Any] = self.content["expect"]
        return expected

    def make(self, root: Path) -> Path:
        """The folder, below `root`."""
        folder = root / self.name.replace("_", "-")
        folder.mkdir(parents=True)
        for path, text in self.content.get("files", {}).items():
            write(folder / path, filled(text).encode())
        for path, digits in self.content.get("bytes", {}).items():
            write(folder / path, bytes.fromhex(digits))
        for path, size in self.content.get("large", {}).items():
            write(folder / path, b"0," * (size // 2))
        for path, recipe in self.content.get("models", {}).items():
            trained.save(folder / path, recipe)
        return folder

    def detect(self, root: Path) -> DetectedFolder:
        """What is found in the folder, made below `root`."""
        folder = self.make(root)
        kept_out = self.content.get("kept_out", [])
        return detect_folder(
            folder,
            DetectionOptions(ships=lambda path: path not in kept_out, environment=self.environment(root), today=TODAY),
        )

    def environment(self, root: Path) -> InstalledDistributions:
        """A site folder with nothing but the metadata of what the case says is installed."""
        site = root / "site"
        provides = self.content.get("provides", {})
        for name, version in self.content.get("installed", {}).items():
            info = site / f"{name.replace('-', '_')}-{version}.dist-info"
            write(info / "METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode())
            write(info / "top_level.txt", f"{provides[name]}\n".encode())
        return InstalledDistributions((str(site),))


def filled(text: str) -> str:
    """A text of the corpus with its keys put together."""
    for mark, key in _KEYS.items():
        text = text.replace(mark, key)
    return text


def write(path: Path, data: bytes) -> None:
    """A file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def cases() -> list[Case]:
    """The whole corpus."""
    return [Case(path.stem, tomllib.loads(path.read_text("utf-8"))) for path in sorted(CORPUS.glob("*.toml"))]
