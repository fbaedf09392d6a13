"""`policy`: what the user must be allowed to do."""

from __future__ import annotations

import json

from mldeploy.cli import session
from mldeploy.cli.run import Run
from mldeploy.providers.errors import without_policy
from mldeploy.ui.documents.deployment import PolicyDocument


def policy(run: Run, target: str) -> None:
    """Print the policy: alone, so that it can be handed on as it is."""
    deployment = session.known(run, target)
    if deployment.policy is None:
        raise without_policy(target)
    document = PolicyDocument(deployment.app, deployment.target, deployment.policy())
    text = json.dumps(document.policy, indent=2)
    run.output.result(document, lambda page: page.line(text))
