"""The base of every target's own table, `[target.NAME]`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class TargetSettings(BaseModel):
    """A provider subclasses this; each field's `description` is its text in the manual. Unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
