"""What is said of a folder: `init`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from mldeploy.ui.documents import Document


@dataclass(frozen=True)
class FindingDocument:
    """One thing that was found."""

    kind: Annotated[
        str,
        "`app`, `candidate`, `served`, `python`, `dependencies`, `system_packages`, `port`, `health`, `predict`, "
        "`predict_table`, `env_file`, `golden`, `model` or `dockerfile`",
    ]
    value: Annotated[str, "what it is"]
    source: Annotated[str, "where it stands: a path below the folder, and the line where there is one"]
    certainty: Annotated[str, "`certain`, `likely` or `guess`"]


@dataclass(frozen=True)
class RemarkDocument:
    """Something that looks wrong."""

    code: Annotated[str, "stable name of the kind of remark"]
    severity: Annotated[str, "`error` (it would not build, start or answer), `warning` or `note`"]
    source: Annotated[str, "where it stands"]
    what: Annotated[str, "the fact"]
    todo: Annotated[str, "what to do about it; may be empty"]


@dataclass(frozen=True)
class InitDocument(Document):
    """`init`."""

    folder: Annotated[str, "absolute path of the folder"]
    found: Annotated[tuple[FindingDocument, ...], "what the folder is"]
    remarks: Annotated[tuple[RemarkDocument, ...], "what looks wrong, the worst first"]
    written: Annotated[tuple[str, ...], "files that were written"]
    kept: Annotated[tuple[str, ...], "files that were there already and were left as they are"]
