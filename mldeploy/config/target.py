"""The base of every target's own table, `[target.NAME]`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from mldeploy.config.settings import Project


class TargetSettings(BaseModel):
    """A provider subclasses this; each field's `description` is its text in the manual. Unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def advise(self, project: Project) -> tuple[str, ...]:
        """Return what differs between this machine and the target for this app, one sentence or two each."""
        return ()

    def is_open(self, project: Project) -> bool:
        """Return whether everybody who reaches the URL may send requests; the target's own keys may forbid it."""
        return project.app.access == "public"

    @property
    def withheld(self) -> tuple[str, ...]:
        """Return the variables that the app gets from the platform, so that this machine does not know their values."""
        return ()


FIRST_UNPRIVILEGED_PORT = 1024


def advise_on_disk(project: Project) -> tuple[str, ...]:
    """Return the advice for an app that writes beside its code, on a target whose instances come and go."""
    text = (
        "read_only is false: what the app writes to its own disk is lost with the instance, and other instances do not "
        "see it. Keep it in a database or in object storage."
    )
    return () if project.app.read_only else (text,)


def advise_on_port(project: Project) -> tuple[str, ...]:
    """Return the advice for a port that a user other than root may not listen on everywhere."""
    port = project.app.port
    text = (
        f"Port {port}: only root may listen on a port below {FIRST_UNPRIVILEGED_PORT} there, and the image of mldeploy "
        "does not run as root. Choose a higher port (app.port); the public port does not change."
    )
    return (text,) if port < FIRST_UNPRIVILEGED_PORT else ()
