"""The Google Cloud stand-in. Tests start one with `rehearsing`, users with `mldeploy rehearse`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from mldeploy.rehearsal.client import Rehearsal, run_rehearsal
from mldeploy.rehearsal.gateway.call_log import LoggedCall
from mldeploy.rehearsal.gateway.faults import FaultKind, FaultOrder
from mldeploy.rehearsal.gateway.proxy import RegistryTransfer, StandInObject

__all__ = [
    "PROGRAM",
    "FaultKind",
    "FaultOrder",
    "GcpRehearsal",
    "LoggedCall",
    "RegistryTransfer",
    "Rehearsal",
    "StandInObject",
    "rehearsing",
]

PROGRAM = "mldeploy.rehearsal.gcp.server"


class GcpRehearsal(Rehearsal):
    """A rehearsal of Google Cloud, with additional conditions. `reset` removes them."""

    def fail_operation(self, kind: str, message: str, *, code: int = 8, seconds: float = 0.0) -> None:
        """Let the next operation of a kind (`CREATE_CLUSTER`, `UPDATE_SERVICE`) fail after `seconds`.

        code: of google.rpc.Code; 8: RESOURCE_EXHAUSTED. seconds: of the operations of Kubernetes Engine.
        """
        body = {"type": kind, "message": message, "code": code, "seconds": seconds}
        self.control.send("POST failures", body=body)

    def limit_quota(self, metric: str, limit: float) -> None:
        """Set the limit of a metric in every region (`CPUS`, `SSD_TOTAL_GB`, `CpuAllocPerProjectRegion`)."""
        self.control.send("POST quotas", body={"metric": metric, "limit": limit})

    def toughen(self) -> None:
        """Do what real services do sometimes, always: late and missing answers, added fields, transient events."""
        self.control.send("POST harsh")

    def hurry(self) -> None:
        """Complete all operations and changes that are under way now. What begins then takes its own time."""
        self.control.send("POST hurry")

    def restrict(self, permissions: Iterable[str]) -> None:
        """Let the account have these permissions only."""
        self.control.send("POST permissions", body=sorted(permissions))

    def checked_permissions(self) -> frozenset[str]:
        """The permissions that calls needed since the last restriction or reset."""
        return frozenset(self.control.send("GET permissions"))

    def bind_roles(self, members: Mapping[str, Sequence[str]]) -> None:
        """Set the members of each role in the project."""
        self.control.send("POST roles", body={role: list(each) for role, each in members.items()})

    def set_networks(self, networks: Mapping[str, Sequence[str]]) -> None:
        """Set the networks with their subnetworks; none: in auto mode."""
        self.control.send("POST networks", body={name: list(each) for name, each in networks.items()})

    def spell_services(self, key: str) -> None:
        """Set the key of the Service in the descriptions of forwarding rules."""
        self.control.send("POST service-key", body={"key": key})

    def forbid_public_access(self) -> None:
        """Let the organization forbid `allUsers` in policies (`iam.allowedPolicyMemberDomains`)."""
        self.control.send("POST domains")

    def keep_idle_instances(self, seconds: float) -> None:
        """Set how long Cloud Run keeps an instance without requests."""
        self.control.send("POST idle", body={"seconds": seconds})

    def run_instances(self) -> dict[str, int]:
        """The number of running containers of each revision of Cloud Run."""
        return dict(self.control.send("GET instances"))

    def expire_tokens(self) -> None:
        """Invalidate all issued access tokens."""
        self.control.send("DELETE tokens")


@contextmanager
def rehearsing(folder: Path, *, containers: bool = True, pace: float = 0.0) -> Iterator[GcpRehearsal]:
    """Run a rehearsal until the block ends or this process is killed.

    folder: created, and removed at the end. containers: run pods as containers on the engine; otherwise they are
    simulated as healthy and answer `{}`. pace: minimum seconds per phase; creating a cluster takes five phases.
    """
    options = [f"--pace={pace}", *([] if containers else ["--no-containers"])]
    with run_rehearsal(folder, PROGRAM, options) as record, closing(GcpRehearsal(record)) as rehearsal:
        yield rehearsal
