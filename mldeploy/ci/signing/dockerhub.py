"""Docker Hub: a user name and an access token, which are kept with the environment."""

from __future__ import annotations

from mldeploy.ci.signing.base import CiSystem, SetupStep, SignIn, SignInContext, secret, var


def sign_in(context: SignInContext) -> SignIn:
    """By the two variables that the target takes."""
    env = (("DOCKERHUB_USERNAME", var("DOCKERHUB_USERNAME")), ("DOCKERHUB_TOKEN", secret("DOCKERHUB_TOKEN")))
    remark = (
        f"Docker Hub takes no token of {context.system.label}'s, so DOCKERHUB_TOKEN is a long-lived secret: make one "
        "for this workflow alone (Read, Write, Delete), with an end, and renew it"
    )
    once = SetupStep(
        "store the user name and an access token (from the settings on Docker Hub); each command prompts for its value",
        (context.variable("DOCKERHUB_USERNAME"), context.secret("DOCKERHUB_TOKEN")),
    )
    if context.system is not CiSystem.GITHUB:  # its variables are in the job's environment
        return SignIn((), (once,), ("DOCKERHUB_USERNAME",), ("DOCKERHUB_TOKEN",), remarks=(remark,))
    return SignIn((), (once,), ("DOCKERHUB_USERNAME",), ("DOCKERHUB_TOKEN",), env, remarks=(remark,))
