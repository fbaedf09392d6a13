"""The targets on Azure."""

from mldeploy.providers.declaration import TargetDeclaration

_STAND_IN, _SIGN_IN = "mldeploy.rehearsal.standins:AZURE", "mldeploy.ci.signing.azure:sign_in"
_COMPLETION = "mldeploy.providers.azure.completion:complete"

TARGETS = (
    TargetDeclaration("acr", extra="azure", verb="push", stand_in=_STAND_IN, sign_in=_SIGN_IN, completion=_COMPLETION),
    TargetDeclaration("containerapps", extra="azure", stand_in=_STAND_IN, sign_in=_SIGN_IN, completion=_COMPLETION),
    TargetDeclaration("webapp", extra="azure", stand_in=_STAND_IN, sign_in=_SIGN_IN, completion=_COMPLETION),
)
