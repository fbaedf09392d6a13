"""The base of all tables of the configuration."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class ConfigTable(BaseModel):
    """A table that rejects unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")
