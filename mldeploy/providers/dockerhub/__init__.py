"""The target `dockerhub`. Docker Hub's API: https://docs.docker.com/reference/api/hub/latest/"""

from mldeploy.providers.declaration import TargetDeclaration

TARGETS = (
    TargetDeclaration(
        "dockerhub",
        verb="push",
        stand_in="mldeploy.rehearsal.standins:DOCKERHUB",
        sign_in="mldeploy.ci.signing.dockerhub:sign_in",
    ),
)
