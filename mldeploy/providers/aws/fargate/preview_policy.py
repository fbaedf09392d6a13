"""The policy of a role that may deploy and remove the previews of pull requests, and nothing else of the app."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from mldeploy.config.environments import PREVIEW, preview_pattern
from mldeploy.config.errors import ConfigError
from mldeploy.config.settings import App
from mldeploy.providers.aws.fargate.settings import TABLE, FargateSettings
from mldeploy.providers.capabilities import PolicySet

EXACT, LIKE = "StringEquals", "StringLike"


def limit_to_previews(policies: PolicySet, app: App, settings: FargateSettings) -> PolicySet:
    """Return the policies of the environment `preview` for all previews: their names in place of its name.

    Raises ConfigError for another environment, and where the names of resources do not tell the app.
    """
    environment = app.environment
    if environment is None or environment.name != PREVIEW:
        raise ConfigError("--with previews", f"applies to the environment {PREVIEW}", f"Add --env {PREVIEW}.")
    if settings.is_balanced:
        what = "the names of load balancers are shortened, so no role can be limited to those of previews"
        raise ConfigError(f"{TABLE}.ingress", what, f'Set ingress = "public-ip" in [env.{PREVIEW}.{TABLE}].')
    pattern = preview_pattern(environment.app)
    parts = tuple(replace(each, document=_widen(each.document, app.name, pattern)) for each in policies.parts)
    whole = _widen(policies.whole, app.name, pattern)
    return replace(policies, parts=parts, whole=whole if isinstance(whole, Mapping) else {})


def _widen(value: object, name: str, pattern: str) -> object:
    """Replace the name, and what follows it within a part of an ARN, which may be shortened with it."""
    if isinstance(value, str):
        return re.sub(rf"{re.escape(name)}[^/:]*", pattern, value)
    if isinstance(value, Mapping):
        items = ((key, _widen(each, name, pattern)) for key, each in value.items())
        return {LIKE if key == EXACT and "*" in str(each) else key: each for key, each in items}
    return [_widen(each, name, pattern) for each in value] if isinstance(value, list | tuple) else value
