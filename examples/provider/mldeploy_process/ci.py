"""The sign-in of a CI workflow: the manager's URL is a variable of the environment."""

from __future__ import annotations

from mldeploy.ci.signing.base import SetupStep, SignIn, SignInContext, var


def sign_in(context: SignInContext) -> SignIn:
    once = SetupStep("store the URL of the process manager", (context.variable("PROCESS_MANAGER"),))
    env = (("MLDEPLOY_TARGET_PROCESS_URL", var("PROCESS_MANAGER")),)
    return SignIn((), (once,), ("PROCESS_MANAGER",), env=env)
