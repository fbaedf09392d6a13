"""What can go wrong between us and Docker Hub, and how its answers become our words."""

from __future__ import annotations

from mldeploy.core.errors import ExitCode, MldeployError


class HubError(MldeployError):
    """Docker Hub did not answer, or not as it should."""

    code = ExitCode.REMOTE


class CredentialsError(MldeployError):
    """There are no credentials, or Docker Hub does not accept those that there are."""

    code = ExitCode.ACCESS


class DeniedError(MldeployError):
    """The token may not do something. operation: the API's name of it (`CreateRepository`)."""

    code = ExitCode.ACCESS

    def __init__(self, where: str, user: str, operation: str, said: str, todo: str = "") -> None:
        reason = f": {said}" if said else ""
        super().__init__(where, f"the token of {user} is not allowed {operation}{reason}", todo or PERMISSIONS)
        self.operation = operation


AGAIN = "It may pass: run the command again, it resumes."
TOKEN = "Make another access token in the account's settings on Docker Hub, and set DOCKERHUB_TOKEN to it."  # noqa: S105
PERMISSIONS = (
    "A token has the permissions that it was made with, as far as its user has them in that namespace: "
    "`mldeploy policy --target dockerhub` says which are needed."
)
