"""What a target says of itself before its provider is imported.

The package of a provider holds `TARGETS`, a tuple of these, beside the provider's module: `moon/__init__.py` for the
entry point `moon = "moon.provider:provider"`. mldeploy reads it without importing the SDK of the platform, so that it
can name the extra to install, list the simulators and write a CI workflow on a machine that lacks the SDK.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class TargetDeclaration:
    """One target: what comes with its provider, and where. A path is the text `package.module:name`.

    name: as in the entry point. extra: the extra of the provider's own distribution that installs the SDK; "" if the
    distribution itself requires it. verb: the command that brings an app there: `push` for a registry. stand_in: path
    of the `mldeploy.rehearsal.standins.StandIn` for `--rehearse`. sign_in: path of the function from a
    `mldeploy.ci.signing.base.SignInContext` to the `SignIn` of a CI workflow. completion: path of the
    `mldeploy.providers.completion.CompletionSource` for shells. Each may be missing ("").
    """

    name: str
    extra: str = ""
    verb: Literal["deploy", "push"] = "deploy"
    stand_in: str = ""
    sign_in: str = ""
    completion: str = ""
