"""Amazon Web Services: the registry (`ecr`). Everything here speaks to it through boto3, which is the extra `aws`."""

from mldeploy.providers.declaration import TargetDeclaration

_STAND_IN, _SIGN_IN = "mldeploy.rehearsal.standins:AWS", "mldeploy.ci.signing.aws:sign_in"
_COMPLETION = "mldeploy.providers.aws.completion:complete"

TARGETS = (
    TargetDeclaration("ecr", extra="aws", verb="push", stand_in=_STAND_IN, sign_in=_SIGN_IN, completion=_COMPLETION),
    TargetDeclaration("fargate", extra="aws", stand_in=_STAND_IN, sign_in=_SIGN_IN, completion=_COMPLETION),
)
