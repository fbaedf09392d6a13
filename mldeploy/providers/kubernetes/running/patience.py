"""How long a rollout tolerates problems that may pass by themselves."""

from __future__ import annotations

from dataclasses import dataclass

TRANSIENT_SECONDS = 45.0
"""A cluster that adds nodes usually reports it within that time."""
LOGIN_TODO = (
    "Log in with `docker login`, so that mldeploy can pass the credentials on, or give the nodes access; see "
    "`pull_secret`."
)


@dataclass(frozen=True)
class RolloutPatience:
    """The patience with a kind of cluster, in seconds since the rollout began.

    transient: for pods without a node, and for a registry that does not answer. rejected: for a registry that rejects
    the nodes, whose permission may be new. access_todo: what to do if it keeps rejecting them.
    """

    transient: float = TRANSIENT_SECONDS
    rejected: float = 0.0
    access_todo: str = LOGIN_TODO
