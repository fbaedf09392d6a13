"""What is said of a workflow: `ci`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from mldeploy.ui.documents import Document


@dataclass(frozen=True)
class OnceDocument:
    """Something that remains to be done, once."""

    what: Annotated[str, "what it is for"]
    commands: Annotated[tuple[str, ...], "lines of bash, in order; those of all entries belong in one shell"]


@dataclass(frozen=True)
class WorkflowDocument(Document):
    """`ci`."""

    app: Annotated[str, "the app's name"]
    target: Annotated[str, "where it is deployed to"]
    system: Annotated[str, "whose workflow it is: `github`"]
    file: Annotated[str, "absolute path of the file"]
    state: Annotated[str, "what became of it: `written`, `unchanged`, `replaced`, or `printed` alone"]
    text: Annotated[str, "what stands in it"]
    repository: Annotated[str, "`owner/name` at GitHub, as git's `origin` says; may be empty"]
    branch: Annotated[str, "whose pushes are deployed"]
    environment: Annotated[str, "the environment of GitHub's that the deploying job runs in"]
    python: Annotated[str, "the Python that lints and tests"]
    lint: Annotated[tuple[str, ...], "the lines that lint"]
    test: Annotated[str | None, "the line that tests; null where there are no tests"]
    variables: Annotated[tuple[str, ...], "names of the variables that the environment must have"]
    secrets: Annotated[tuple[str, ...], "names of the secrets that the environment must have"]
    once: Annotated[tuple[OnceDocument, ...], "what remains to be done, in order"]
    remarks: Annotated[tuple[str, ...], "what is worth knowing of it"]
