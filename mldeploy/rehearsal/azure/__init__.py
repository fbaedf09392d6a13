"""The Azure stand-in: `rehearsing` starts one for a test, `mldeploy rehearse` keeps one in the background."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from mldeploy.rehearsal.client import Rehearsal, run_rehearsal
from mldeploy.rehearsal.gateway.call_log import LoggedCall
from mldeploy.rehearsal.gateway.faults import FaultKind, FaultOrder
from mldeploy.rehearsal.gateway.proxy import RegistryTransfer, StandInObject

__all__ = [
    "PROGRAM",
    "AzureRehearsal",
    "FaultKind",
    "FaultOrder",
    "LoggedCall",
    "RegistryTransfer",
    "StandInObject",
    "rehearsing",
]

PROGRAM = "mldeploy.rehearsal.azure.server"


class AzureRehearsal(Rehearsal):
    """A rehearsal whose Azure conditions a test can set. They apply until the next reset."""

    def reserve_name(self, kind: str, name: str) -> None:
        """Mark a global name as used by another customer. kind: `Microsoft.Web/sites`."""
        self.control.send("POST taken", body={"type": kind, "name": name})

    def set_quota(self, tier: str, instances: int) -> None:
        """Set the quota: the number of instances of a tier (`Basic`) that the subscription may have in a region.

        tier: `Microsoft.App/managedEnvironments`, too: the number of environments.
        """
        self.control.send("POST limit", body={"tier": tier, "limit": instances})

    def add_secret(self, uri: str, value: str) -> None:
        """Add a secret to a key vault. uri: `https://VAULT.vault.azure.net/secrets/NAME`."""
        self.control.send("POST secret", body={"uri": uri, "value": value})

    def set_records(self, kind: str, name: str, *values: str) -> None:
        """Set the DNS records of a name. kind: `TXT`."""
        self.control.send("POST records", body={"type": kind, "name": name, "values": list(values)})

    def scale_down(self) -> None:
        """Let the cooldown period of every revision of a container app be over."""
        self.control.send("POST cooldown", body={})

    def delay_roles(self, requests: int) -> None:
        """Let a role assignment take effect only after this number of registry requests that need it."""
        self.control.send("POST roles", body={"requests": requests})

    def fail_registry(self, code: str, message: str) -> None:
        """Accept the next create or update of a registry, and let its operation fail with this error."""
        self.control.send("POST failure", body={"code": code, "message": message})

    def restrict(self, policy: Mapping[str, object]) -> None:
        """Give the caller the roles that `mldeploy policy` prints, and nothing else.

        Raises ValueError if Azure would not create such a role.
        """
        if refusal := self.control.send("POST caller", body=policy):
            raise ValueError(refusal)

    def used_actions(self) -> frozenset[str]:
        """Return the actions that the caller has needed since `restrict` or the last reset, in lower case."""
        return frozenset(self.control.send("GET used"))

    def be_harsh(self) -> None:
        """Behave from now on as Azure may in a new subscription.

        Roles count late, first answers are missing, logs fail at first, states of instances are unknown, plans have
        sites for a moment after their deletion, registries have the ABAC mode unless told otherwise, and answers have
        fields and tags that nobody set.
        """
        self.control.send("POST harsh", body={})

    def stop_clock(self) -> None:
        """Let nothing get done or known that takes its time, until `start_clock` or the next reset."""
        self.control.send("POST clock", body={"runs": False})

    def start_clock(self) -> None:
        """Let time pass again."""
        self.control.send("POST clock", body={"runs": True})

    def unregister(self, namespace: str) -> None:
        """Remove the subscription's registration for a namespace (`Microsoft.Web`)."""
        self.control.send("POST unregistered", body={"namespace": namespace})


@contextmanager
def rehearsing(folder: Path, *, containers: bool = True, pace: float = 0.0) -> Iterator[AzureRehearsal]:
    """Run a rehearsal until the block ends, or until this process is killed.

    folder: created, and removed at the end. containers: run sites as containers on the engine; otherwise they
    respond with `{}` to each request. pace: seconds that a long-running operation takes at least; new resources take
    twice as long to propagate.
    """
    options = [f"--pace={pace}", *([] if containers else ["--no-containers"])]
    with run_rehearsal(folder, PROGRAM, options) as record, closing(AzureRehearsal(record)) as rehearsal:
        yield rehearsal
