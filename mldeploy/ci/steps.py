"""One step of a workflow, as a value."""

from __future__ import annotations

from dataclasses import dataclass

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Step:
    """A step as GitHub reads it: an action that is used, or lines of bash that are run.

    Nothing that an event or a person outside the repository says may stand in `run`: it comes through `env`.
    given: the action's inputs (`with`). why: a comment above it.
    https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idsteps
    """

    name: str
    run: tuple[str, ...] = ()
    uses: str = ""
    given: Pairs = ()
    env: Pairs = ()
    id: str = ""
    when: str = ""
    why: str = ""
