"""Which targets a workflow can deploy to, what their last command is, and how it signs in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mldeploy.ci.signing import aws, azure, dockerhub, gcp, kubernetes
from mldeploy.ci.signing.base import Place, SignIn
from mldeploy.config.errors import ConfigError


@dataclass(frozen=True)
class Target:
    """verb: what brings the app there: `push` to a registry, `deploy` elsewhere."""

    verb: str
    sign_in: Callable[[Place], SignIn]


TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        "kubernetes": Target("deploy", kubernetes.sign_in),
        "ecr": Target("push", aws.sign_in),
        "fargate": Target("deploy", aws.sign_in),
        "gar": Target("push", gcp.sign_in),
        "gcr": Target("push", gcp.sign_in),
        "gke": Target("deploy", gcp.sign_in),
        "acr": Target("push", azure.sign_in),
        "webapp": Target("deploy", azure.sign_in),
        "dockerhub": Target("push", dockerhub.sign_in),
    }
)


def signed_in(place: Place) -> SignIn:
    """How the workflow signs in to the place's target. Raises ConfigError if its table holds what no runner has."""
    if place.said("profile"):
        what = "is a profile of this machine's, which no runner of GitHub's has"
        todo = "Take it out of mldeploy.toml, and name it when you type a command: --profile NAME."
        raise ConfigError(f"target.{place.target}.profile", what, todo)
    return TARGETS[place.target].sign_in(place)
