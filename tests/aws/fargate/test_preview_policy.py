"""What a role for the previews of pull requests may touch: their names, and no other environment's."""

from __future__ import annotations

import fnmatch
import json
from pathlib import Path

import pytest

from mldeploy.config.environments import environment_key, environment_override, preview_pattern
from mldeploy.config.errors import ConfigError
from mldeploy.config.load import load
from mldeploy.config.settings import App
from mldeploy.providers.aws.fargate.preview_policy import limit_to_previews
from mldeploy.providers.aws.fargate.settings import FargateSettings
from mldeploy.providers.capabilities import PolicySet

LONG = "a-classifier-of-rather-many-words"


def app_in(folder: Path, environment: str, name: str = "insurance") -> App:
    (folder / "mldeploy.toml").write_text(f'[app]\nname = "{name}"\nmodels = []\n[env.preview]\n[env.staging]\n')
    return load(folder, environment_override(environment)).app


@pytest.mark.parametrize("name", ["insurance", LONG])
def test_every_preview_is_matched_and_no_other_environment(name: str) -> None:
    pattern = preview_pattern(name)
    for number in (1, 42, 999_999):
        assert fnmatch.fnmatchcase(environment_key(name, f"preview-{number}"), pattern)
    for other in ("staging", "production"):
        assert not fnmatch.fnmatchcase(environment_key(name, other), pattern)
    assert not fnmatch.fnmatchcase(name, pattern)


def test_the_name_is_widened_with_what_follows_it_and_conditions_take_patterns(tmp_path: Path) -> None:
    app = app_in(tmp_path, "preview")
    statement = {
        "Resource": [f"arn:aws:iam::1:role/mldeploy-{app.name}-us-east-1-task", f"arn:aws:ecs:x:1:task/{app.name}/*"],
        "Condition": {"StringEquals": {"aws:ResourceTag/mldeploy:app": app.name}},
    }
    whole = limit_to_previews(PolicySet((), {"Statement": [statement]}), app, FargateSettings.model_validate({})).whole
    assert json.loads(json.dumps(whole)) == {
        "Statement": [
            {
                "Resource": [
                    "arn:aws:iam::1:role/mldeploy-insurance-preview-*",
                    "arn:aws:ecs:x:1:task/insurance-preview-*/*",
                ],
                "Condition": {"StringLike": {"aws:ResourceTag/mldeploy:app": "insurance-preview-*"}},
            }
        ]
    }


def test_what_cannot_be_limited_is_refused(tmp_path: Path) -> None:
    policies = PolicySet((), {})
    with pytest.raises(ConfigError, match="applies to the environment preview"):
        limit_to_previews(policies, app_in(tmp_path, "staging"), FargateSettings.model_validate({}))
    balanced = FargateSettings.model_validate({"ingress": "load-balancer"})
    with pytest.raises(ConfigError, match="load balancers are shortened"):
        limit_to_previews(policies, app_in(tmp_path, "preview"), balanced)
