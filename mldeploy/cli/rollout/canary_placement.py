"""A new version beside the serving one: whether a deployment is a canary, its placement, and its steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mldeploy.app.sample_request import SampleRequest
from mldeploy.cli.deployment import AppDeployment
from mldeploy.cli.errors import UsageError
from mldeploy.cli.rollout.canary_rollout import CanaryOutcome, CanaryRollout
from mldeploy.cli.rollout.traffic import as_splitting, list_splitting, open_traffic, read_sample, read_split
from mldeploy.cli.run import CommandRun
from mldeploy.core import verbs
from mldeploy.core.journal import Session
from mldeploy.providers.errors import WrongTargetError
from mldeploy.providers.traffic import Candidate, CanSplitTraffic


@dataclass(frozen=True)
class CanaryPlan:
    """steps: percentages. hold: seconds of each below 100. requests: by which both versions are compared."""

    steps: Sequence[int]
    hold: float
    requests: tuple[SampleRequest, ...]


@dataclass(frozen=True)
class PlacedCanary:
    """The walk that placed the candidate, and how its rollout ended."""

    steps: verbs.Deployed[Candidate]
    outcome: CanaryOutcome


def choose_canary(
    run: CommandRun, deployment: AppDeployment, percent: int | None, sample: str | None
) -> CanaryPlan | None:
    """Return how a new version gets its requests in steps; None if it gets all of them at once.

    percent: of `--canary`, which ends there. A first deployment is no canary. Raises WrongTargetError if [rollout] asks
    for one that the target cannot run, UsageError.
    """
    rollout = deployment.project.rollout
    if percent is None and not rollout.is_canary:
        if sample is not None:
            raise UsageError("--sample", "compares a canary with the serving version", "Add --canary, or leave it out.")
        return None
    if not isinstance(deployment.provider, CanSplitTraffic):
        todo = (
            f"These targets can: {', '.join(list_splitting())}. "
            "For this one, set MLDEPLOY_ROLLOUT_STRATEGY=all-at-once in the environment."
        )
        what = 'cannot run a canary, which strategy = "canary" in [rollout] asks for'
        raise WrongTargetError(f"target {deployment.target}", what, todo)
    requests = read_sample(deployment.project, sample)
    if read_split(deployment) is None and deployment.service.url() is None:
        run.output.info("Nothing serves yet: the version is deployed at once, without a canary.")
        return None
    if not requests:
        run.output.warn(
            "There are no rows to compare both versions by. Set check.golden, or use --sample with a CSV file of rows."
        )
    if percent is not None:
        return CanaryPlan((percent,), 0.0, requests)
    return CanaryPlan(rollout.steps, rollout.hold, requests)


def place_canary(deployment: AppDeployment, work: Session[object], plan: CanaryPlan, *, check: bool) -> PlacedCanary:
    """Start the version beside the serving one and lead it through its steps.

    Raises what `verbs.deploy` and `CanaryRollout.run` raise.
    """
    provider = as_splitting(deployment.provider)
    goal = deployment.on_image(provider.candidate(deployment.project, deployment.settings))
    # Nothing is swept: the steps of the serving version are not in this graph.
    placed = verbs.deploy(goal, work, gates=deployment.require_gates(goal, check=check))
    traffic = open_traffic(deployment)
    rollout = CanaryRollout(
        traffic, deployment.project, work, plan.requests, plan.steps, plan.hold, deployment.ca_bundle
    )
    return PlacedCanary(placed, rollout.run())
