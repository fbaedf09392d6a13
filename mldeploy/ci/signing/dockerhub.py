"""Docker Hub: an access token, kept as a secret, for the one step that pushes."""

from __future__ import annotations

from mldeploy.ci.signing.base import Once, Place, SignIn, secret, var


def sign_in(place: Place) -> SignIn:
    """By the two variables that the target takes."""
    env = (("DOCKERHUB_USERNAME", var("DOCKERHUB_USERNAME")), ("DOCKERHUB_TOKEN", secret("DOCKERHUB_TOKEN")))
    remark = (
        "Docker Hub takes no token of GitHub's, so DOCKERHUB_TOKEN is a long-lived secret: make one for this workflow "
        "alone (Read, Write, Delete), with an end, and renew it"
    )
    once = Once(
        "say who the workflow is, a line at a time: a name, and a token from the settings on Docker Hub, are asked for",
        (place.variable("DOCKERHUB_USERNAME"), place.secret("DOCKERHUB_TOKEN")),
    )
    return SignIn((), (once,), ("DOCKERHUB_USERNAME",), ("DOCKERHUB_TOKEN",), env, remarks=(remark,))
