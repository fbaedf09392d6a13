"""The target `process`: the app runs as a process under a process manager, without a container."""

from mldeploy.providers.declaration import TargetDeclaration

TARGETS = (
    TargetDeclaration("process", stand_in="mldeploy_process.stand_in:STAND_IN", sign_in="mldeploy_process.ci:sign_in"),
)
