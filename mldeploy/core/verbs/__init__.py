"""The verbs: four walks over the same graph."""

from mldeploy.core.verbs.deploy import Deployed, DeploymentFailedError, Done, deploy
from mldeploy.core.verbs.destroy import Destroyed, destroy
from mldeploy.core.verbs.look import Change, Intent, Plan, StepView, look, plan

__all__ = [
    "Change",
    "Deployed",
    "DeploymentFailedError",
    "Destroyed",
    "Done",
    "Intent",
    "Plan",
    "StepView",
    "deploy",
    "destroy",
    "look",
    "plan",
]
