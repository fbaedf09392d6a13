"""Versions on Cloud Run: the trial before the traffic, the way back, candidates, and who may send requests."""

from __future__ import annotations

from dataclasses import replace

import pytest
import requests
from google.protobuf.field_mask_pb2 import FieldMask

from mldeploy.app.client import AppClient
from mldeploy.app.verdict import VerdictError
from mldeploy.core.errors import MldeployError, RefusedError
from mldeploy.core.verbs import DeploymentFailedError
from mldeploy.providers.access import access_modes
from mldeploy.providers.capabilities import Level
from mldeploy.providers.errors import AbsentError
from mldeploy.providers.gcp.cloudrun.invoker import PublicAccessError, is_public
from mldeploy.providers.gcp.cloudrun.provider import provider
from mldeploy.providers.gcp.cloudrun.services import describe_service, list_revisions
from mldeploy.providers.traffic import CanSplitTraffic
from mldeploy.testing.promises import Promise, proves
from tests.gcp.cloudrun.harness import RunHarness, make_secret, services_of

pytestmark = pytest.mark.engine


def failure(run: RunHarness) -> MldeployError:
    """The error of a deployment that fails."""
    with pytest.raises(DeploymentFailedError) as failed:
        run.deploy()
    error = failed.value.failures[0][1]
    assert isinstance(error, MldeployError)
    return error


def serving(run: RunHarness) -> str:
    """The revision with all requests."""
    service = describe_service(run.connect())
    assert service is not None
    assert service.percent(service.serving) == 100
    return service.serving


@proves(Promise.GOLDEN_ROW, Promise.OLD_VERSION, targets=["cloudrun"])
def test_a_version_that_misses_the_golden_row_gets_no_request(run: RunHarness) -> None:
    url = run.expecting({}).deploy().url
    first = serving(run)
    verdict = failure(run.greeting("two").expecting({"price": 1}))
    assert isinstance(verdict, VerdictError)
    assert "golden row differs" in verdict.cause
    assert serving(run) == first
    service = describe_service(run.connect())
    assert service is not None
    assert [(each.revision, each.percent, each.tag) for each in service.traffic] == [(first, 100, "")]
    assert [each.state for each in run.service.releases()] == ["failed", "serving"]
    assert run.greeting("two").expecting({}).deploy().url == url
    assert [each.state for each in run.service.releases()] == ["serving", "old"]


def test_the_first_version_stays_private_until_it_has_passed(run: RunHarness) -> None:
    verdict = failure(run.expecting({"price": 1}))
    assert isinstance(verdict, VerdictError)
    assert not is_public(run.connect())
    assert run.service.url() is None
    url = run.expecting({}).deploy().url
    assert is_public(run.connect())
    with AppClient(url, run.rehearsal.endpoints.ca_bundle) as client:
        client.health("/health")


def test_another_golden_row_is_another_trial_of_the_same_revision(run: RunHarness) -> None:
    run.expecting({}).deploy()
    first = serving(run)
    assert run.expecting({"price": 1}).reasons() == ["golden row not answered → answered"]
    assert "golden row differs" in failure(run.expecting({"price": 1})).what
    assert serving(run) == first
    run.expecting({}).deploy()
    assert serving(run) == first


@proves(Promise.HISTORY, targets=["cloudrun"])
def test_a_rollback_moves_the_traffic_and_starts_nothing_new(run: RunHarness) -> None:
    run.deploy()
    first = serving(run)
    run.greeting("two").deploy()
    before = {each.name for each in list_revisions(run.connect())}
    run.service.rollback(None, run.scene.monitor)
    assert serving(run) == first
    assert {each.name for each in list_revisions(run.connect())} == before
    assert run.reasons() == []
    with pytest.raises(AbsentError):
        run.service.rollback("99", run.scene.monitor)
    run.service.rollback("2", run.scene.monitor)
    assert serving(run) != first


def test_a_failed_revision_is_no_way_back(run: RunHarness) -> None:
    run.expecting({}).deploy()
    failure(run.greeting("two").expecting({"price": 1}))
    with pytest.raises(RefusedError, match="failed when it was deployed"):
        run.service.rollback("2", run.scene.monitor)


def test_old_revisions_are_swept_and_some_are_kept(run: RunHarness) -> None:
    few = run.having(keep_revisions=1)
    for text in ("one", "two", "three", "four"):
        few.greeting(text).deploy()
    assert [each.revision for each in few.service.releases()] == ["4", "3"]


def test_a_candidate_gets_what_it_is_given(run: RunHarness) -> None:
    run.deploy()
    first = serving(run)
    second = run.greeting("two")
    candidate = second.offer()
    assert candidate.release.revision == "2"
    assert candidate.url.startswith("https://")
    split = run.traffic.split()
    assert split is not None
    assert (split.stable.revision, split.candidate.revision, split.percent, split.ratio) == ("1", "2", 0.0, "")
    assert run.traffic.shift(10, run.scene.monitor).percent == 10.0
    assert second.offer() == candidate  # unchanged
    for name in ("1", "2"):
        with run.traffic.reach(name) as url, AppClient(url, run.rehearsal.endpoints.ca_bundle) as client:
            client.health("/health")
    refused = failure(run.greeting("three"))
    assert "mldeploy canary promote" in refused.todo
    assert "mldeploy canary abort" in refused.todo
    assert run.traffic.promote(run.scene.monitor).url == run.service.url()
    assert serving(run) != first
    assert run.traffic.split() is None
    assert second.reasons() == []
    with pytest.raises(AbsentError):
        run.traffic.promote(run.scene.monitor)


def test_a_candidate_can_be_taken_back_and_replaced(run: RunHarness) -> None:
    assert isinstance(run.scene.provider, CanSplitTraffic)
    with pytest.raises(DeploymentFailedError, match="no version serves yet"):
        run.offer()
    run.deploy()
    first = serving(run)
    run.greeting("two").offer()
    run.traffic.shift(50, run.scene.monitor)
    assert run.greeting("three").offer().release.revision == "3"
    split = run.traffic.split()
    assert split is not None
    assert (split.stable.revision, split.candidate.revision, split.percent) == ("1", "3", 0.0)
    assert run.traffic.abort(run.scene.monitor)
    assert not run.traffic.abort(run.scene.monitor)
    assert serving(run) == first
    with pytest.raises(AbsentError):
        run.traffic.shift(10, run.scene.monitor)
    with pytest.raises(AbsentError), run.traffic.reach("3"):
        pass
    assert run.reasons() == []


def test_a_candidate_that_misses_the_golden_row_is_none(run: RunHarness) -> None:
    run.expecting({}).deploy()
    first = serving(run)
    with pytest.raises(DeploymentFailedError, match="golden row differs"):
        run.greeting("two").expecting({"price": 1}).offer()
    assert run.traffic.split() is None
    assert serving(run) == first


def test_access_by_iam_is_a_service_that_is_not_public(run: RunHarness) -> None:
    app = replace(run.app, app=replace(run.app.app, access="iam"))
    private = replace(run, app=app)
    address = private.deploy()
    assert not is_public(run.connect())
    assert any("identity token" in each for each in address.remarks)
    assert access_modes(provider, app) == {"public", "iam"}
    assert "not public → public" in run.reasons()


def test_a_service_that_is_not_public_is_asked_with_an_identity_token(run: RunHarness) -> None:
    private = run.having(public=False)
    assert [each.settings.is_open(run.app) for each in (run, private)] == [True, False]
    deployed = private.expecting({}).deploy()
    assert any("roles/run.invoker" in each for each in deployed.remarks)
    assert requests.get(deployed.url, verify=str(run.rehearsal.endpoints.ca_bundle), timeout=60).status_code == 403
    with private.service.reach() as url, AppClient(url) as client:
        client.health("/health")
        assert client.predict("/predict", {}) == {}
        bare = url.rpartition("/")[0]
    assert bare.startswith("http://127.0.0.1:")
    assert private.expecting({}).reasons() == []
    assert "not public → public" in run.expecting({}).reasons()


def test_a_policy_of_the_organization_leads_to_a_private_service(run: RunHarness) -> None:
    run.rehearsal.forbid_public_access()
    refused = failure(run)
    assert isinstance(refused, PublicAccessError)
    assert "iam.allowedPolicyMemberDomains" in refused.what
    assert "public = false" in refused.todo
    assert run.having(public=False).deploy().url


def test_the_app_may_read_its_secrets_and_no_others(run: RunHarness) -> None:
    make_secret(run, "api-key")
    with_secret = run.having(secrets={"API_KEY": "api-key"})
    url = with_secret.deploy().url
    answer = requests.get(f"{url}/environment", verify=str(run.rehearsal.endpoints.ca_bundle), timeout=60).json()
    assert answer["API_KEY"] == "value"
    assert with_secret.reasons() == []
    assert {each.level for each in with_secret.diagnose()} == {Level.OK}
    with_secret.scene.destroy()
    assert [each.kind for each in run.rehearsal.contents()] == ["secretmanager:secret"]


def test_a_secret_that_does_not_exist_is_named(run: RunHarness) -> None:
    missing = run.having(secrets={"API_KEY": "nothing"})
    assert [each.what for each in missing.diagnose() if each.level is Level.ERROR] == ["nothing does not exist"]
    assert "secret nothing" in str(failure(missing))


def test_settings_of_the_service_change_without_a_new_version(run: RunHarness) -> None:
    run.deploy()
    first = serving(run)
    limited = run.having(min=1, max=3)
    assert limited.reasons() == ["minimum of instances default → 1", "maximum of instances default → 3"]
    limited.deploy()
    assert serving(run) == first
    assert limited.reasons() == []


def test_labels_and_annotations_of_others_stay(run: RunHarness) -> None:
    run.deploy()
    services, name = services_of(run.rehearsal), run.connect().service_path
    service = services.get_service(name=name)
    service.labels["team"], service.annotations["example.org/owner"] = "pricing", "somebody"
    services.update_service(service=service, update_mask=FieldMask(paths=["labels", "annotations"])).result(timeout=300)
    assert run.reasons() == []
    run.greeting("two").deploy()
    service = services.get_service(name=name)
    assert service.labels["team"] == "pricing"
    assert service.annotations["example.org/owner"] == "somebody"
