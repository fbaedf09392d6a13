"""AWS on this machine: `rehearsing` gives a test one of its own, `mldeploy rehearse` keeps one in the background."""

from mldeploy.rehearsal.aws.calls import Call
from mldeploy.rehearsal.aws.faults import Fault, Kind
from mldeploy.rehearsal.aws.interface import Thing, Transfer
from mldeploy.rehearsal.aws.rehearsal import Rehearsal, rehearsing

__all__ = ["Call", "Fault", "Kind", "Rehearsal", "Thing", "Transfer", "rehearsing"]
