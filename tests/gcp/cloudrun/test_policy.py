"""The role that `mldeploy policy` prints is enough for a deployment, its operation and its removal, and is no wider."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from mldeploy.providers.capabilities import HasPolicy, Level
from mldeploy.providers.gcp.cloudrun.provider import provider
from mldeploy.testing.promises import Promise, proves
from tests.gcp.cloudrun.harness import RunHarness, make_secret

pytestmark = pytest.mark.engine

UNUSED: Mapping[str, str] = {
    r"artifactregistry\.dockerimages\.list": "the target gcr, whose repository others use, too",
    r"artifactregistry\.repositories\.update": "another `keep_images`",
    r"artifactregistry\.tags\.get": "registries may check it when they answer a HEAD for a tag",
    r"artifactregistry\.tags\.update": "a tag that was pushed before",
    r"secretmanager\.(secrets\.(delete|get)|versions\.get)": "an app with secrets of `mldeploy secrets`",
    r"serviceusage\.services\.enable": "`doctor --fix`",
}
"""Permissions that the journey does not use, by pattern, with the reason why the role has them."""


def test_values_of_secrets_may_be_read_only_with_a_role_for_it(run: RunHarness) -> None:
    plain, storing = (provider.policy_set(run.connect(), run.app, run.settings, each) for each in ((), ("secrets",)))
    reading = "secretmanager.versions.access"
    assert plain.parts == ()
    assert reading not in str(plain.whole)
    (part,) = storing.parts
    assert reading in str(part.document)


@proves(Promise.POLICY, Promise.AUTOSCALING, Promise.SCALE, Promise.STOP, targets=["cloudrun"])
def test_the_role_is_enough_and_every_permission_in_it_is_used(run: RunHarness) -> None:
    assert isinstance(provider, HasPolicy)
    make_secret(run, "api-key")
    run = run.having(max=3, keep_revisions=1, secrets={"API_KEY": "api-key"})
    granted = provider.policy(run.connect())["includedPermissions"]
    assert isinstance(granted, list)
    run.rehearsal.restrict(granted)
    assert [each for each in run.diagnose() if each.level is Level.ERROR] == []
    for text in ("one", "two", "three"):
        run.greeting(text).deploy()
    assert run.service.releases()
    assert [each.name for each in provider.apps(run.connect(), run.settings)] == [run.app.app.name]
    run.service.rollback(None, run.scene.monitor)
    run.service.scale(2, run.scene.monitor)
    assert [each.health for each in run.service.instances()] == ["healthy"] * 2
    list(run.service.logs(follow=False, tail=1))
    assert run.service.stop()
    assert run.service.instances() == ()
    run.scene.destroy()

    unused = set(granted) - run.rehearsal.checked_permissions()
    assert {each for each in unused if not any(re.fullmatch(pattern, each) for pattern in UNUSED)} == set()
    assert {pattern for pattern in UNUSED if not any(re.fullmatch(pattern, each) for each in unused)} == set()
