"""Every call is logged with its permission, authenticated, and receives the fault injected for it."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest
import requests
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)

from mldeploy.rehearsal.azure import FaultKind, FaultOrder, LoggedCall
from tests.rehearsal.azure.clients import MANAGEMENT, Clients, catch_error
from tests.rehearsal.azure.estate import GROUP, REGION, group_in, registry_in

WRITE = "Microsoft.Resources/subscriptions/resourceGroups/write"


def make(azure: Clients) -> Any:
    return azure.resources.resource_groups.create_or_update(GROUP, {"location": REGION})


def acquainted(azure: Clients) -> Clients:
    """Whose token has been fetched already."""
    azure.resources.resource_groups.check_existence(GROUP)
    return azure


def test_every_call_is_numbered_and_known_by_the_permission_that_it_needs(azure: Clients) -> None:
    make(azure)
    azure.resources.providers.register("Microsoft.Web")
    azure.web.check_name_availability({"name": "shop", "type": "Site"})
    assert [(call.action, call.writing) for call in azure.rehearsal.calls()] == [
        ("Entra/openid-configuration", False),
        ("Entra/oauth2/token", False),
        (WRITE, True),
        ("Microsoft.Web/register/action", True),
        ("Microsoft.Web/checknameavailability/read", False),
    ]
    assert azure.rehearsal.calls()[0] == LoggedCall(1, "Entra/openid-configuration", writing=False)


def test_a_wrong_secret_is_refused_in_entras_words(azure: Clients) -> None:
    with (
        closing(Clients(azure.rehearsal, secret="wrong")) as stranger,
        pytest.raises(ClientAuthenticationError, match="AADSTS7000215"),
    ):
        make(stranger)


@pytest.mark.parametrize(
    ("header", "code"),
    [(None, "AuthenticationFailed"), ("Bearer a.b.c", "InvalidAuthenticationToken")],
)
def test_a_request_without_a_valid_token_is_rejected(azure: Clients, header: str | None, code: str) -> None:
    url = f"{azure.rehearsal.endpoints.url}/subscriptions/{azure.subscription}?api-version=2022-12-01"
    answer = requests.get(url, headers={"Authorization": header} if header else {}, verify=azure.bundle, timeout=60)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, code)
    assert "authorization_uri=" in answer.headers["WWW-Authenticate"]
    assert azure.rehearsal.calls() == ()


def test_a_page_that_knows_no_token_cannot_give_orders(azure: Clients) -> None:
    url = f"{azure.rehearsal.endpoints.url}/rehearsal/reset"
    assert requests.post(url, verify=azure.bundle, timeout=60).status_code == 403


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (FaultKind.THROTTLE, (429, "TooManyRequests")),
        (FaultKind.ERROR, (500, "InternalServerError")),
        (FaultKind.DENIED, (403, "AuthorizationFailed")),
    ],
)
def test_a_refusal_is_said_in_azures_words_and_nothing_is_done(
    azure: Clients, kind: FaultKind, error: tuple[int, str]
) -> None:
    acquainted(azure).rehearsal.faults.inject(FaultOrder(kind, times=0))
    assert catch_error(lambda: make(azure)) == error
    assert azure.rehearsal.contents() == ()


def test_a_missing_permission_is_named_with_its_scope(azure: Clients) -> None:
    acquainted(azure).rehearsal.faults.inject(FaultOrder(FaultKind.DENIED, WRITE))
    with pytest.raises(HttpResponseError, match=f"perform action '{WRITE}' over scope '/subscriptions/.*{GROUP}'"):
        make(azure)


@pytest.mark.parametrize("kind", [FaultKind.THROTTLE, FaultKind.DENIED])
def test_entra_says_no_in_its_own_words(azure: Clients, kind: FaultKind) -> None:
    azure.rehearsal.faults.inject(FaultOrder(kind, "Entra/oauth2/token", times=0))
    with pytest.raises((ClientAuthenticationError, HttpResponseError), match="AADSTS"):
        make(azure)


@pytest.mark.parametrize(
    ("kind", "error", "made"),
    [
        (FaultKind.TIMEOUT, ServiceResponseError, 0),
        (FaultKind.LOST, ServiceResponseError, 1),
        (FaultKind.CUT_BEFORE, ServiceResponseError, 0),
        (FaultKind.CUT_AFTER, ServiceResponseError, 1),
    ],
)
def test_without_an_answer_the_client_cannot_tell_whether_it_was_done(
    azure: Clients, kind: FaultKind, error: type[Exception], made: int
) -> None:
    patience = 1 if kind in (FaultKind.TIMEOUT, FaultKind.LOST) else 60
    azure.rehearsal.faults.inject(FaultOrder(kind, WRITE))
    with closing(Clients(azure.rehearsal, patience=patience)) as client:
        client.credential.get_token(MANAGEMENT)  # what takes its time at first has been done
        with pytest.raises((error, ServiceRequestError)):
            make(client)
    assert azure.rehearsal.faults.wait_for_injections(within=300) == 1
    assert len(azure.rehearsal.contents()) == made
    make(azure)


def test_the_sdk_heals_what_happens_once(azure: Clients) -> None:
    azure.rehearsal.faults.inject(
        FaultOrder(FaultKind.THROTTLE, WRITE), FaultOrder(FaultKind.CUT_BEFORE, WRITE, skip=1)
    )
    with closing(Clients(azure.rehearsal, attempts=3)) as patient:
        make(acquainted(patient))
    assert [call.action for call in azure.rehearsal.calls()].count(WRITE) == 3


@pytest.mark.parametrize("kind", [FaultKind.THROTTLE, FaultKind.ERROR, FaultKind.DENIED])
def test_a_registry_says_no_in_its_own_words(azure: Clients, kind: FaultKind) -> None:
    login = registry_in(azure).login_server
    pull = "Microsoft.ContainerRegistry/registries/pull/read"
    azure.rehearsal.faults.inject(FaultOrder(kind, pull))
    answer = azure.exchange(login)
    assert answer.status_code == {FaultKind.THROTTLE: 429, FaultKind.ERROR: 500, FaultKind.DENIED: 403}[kind]
    assert answer.json()["errors"][0]["code"]
    assert azure.exchange(login).ok


def test_a_poller_is_resumed_where_another_one_was_interrupted(azure: Clients) -> None:
    group_in(azure)
    registries = azure.registries.registries
    spec: Any = {"location": REGION, "sku": {"name": "Basic"}}
    azure.rehearsal.faults.inject(
        FaultOrder(FaultKind.ERROR, "Microsoft.ContainerRegistry/registries/operationStatuses/read")
    )
    poller = registries.begin_create(GROUP, "shopregistry", spec)
    token = poller.continuation_token()
    with pytest.raises(HttpResponseError):
        poller.result()
    resumed = registries.begin_create(GROUP, "shopregistry", spec, continuation_token=token).result()
    assert resumed.properties is not None
    assert resumed.properties.provisioning_state == "Succeeded"


def test_the_tokens_of_one_rehearsal_are_good_in_no_other(azure: Clients, slow: Clients) -> None:
    token = slow.arm("GET /locations", version="2022-12-01").request.headers["Authorization"]
    url = f"{azure.rehearsal.endpoints.url}/subscriptions?api-version=2022-12-01"
    answer = requests.get(url, headers={"Authorization": token}, verify=azure.bundle, timeout=60)
    assert answer.status_code == 401
