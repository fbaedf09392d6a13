"""What is said of an image that was looked at: `check`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from mldeploy.ui.documents import Document
from mldeploy.ui.documents.image import AssumedDocument
from mldeploy.ui.documents.verdict import VerdictDocument


@dataclass(frozen=True)
class CheckDocument(Document):
    """`check`."""

    app: Annotated[str, "the app's name"]
    image: Annotated[str, "`name:tag` of what was looked at"]
    verdict: Annotated[VerdictDocument, "what was found"]
    sbom: Annotated[str | None, "the file that `--sbom` names"]
    assumed: Annotated[
        tuple[AssumedDocument, ...], "what the configuration leaves open, and was found in the folder"
    ] = ()
