"""The subscription: its regions, and the namespaces that have to be registered before they can be used."""

from __future__ import annotations

from mldeploy.rehearsal.azure.arm import kinds
from mldeploy.rehearsal.azure.arm.account import SUBSCRIPTION as OURS
from mldeploy.rehearsal.azure.arm.account import TENANT
from mldeploy.rehearsal.azure.arm.application import check_namespace
from mldeploy.rehearsal.azure.arm.routes import SUBSCRIPTION, Answer, Question, Route
from mldeploy.rehearsal.azure.arm.shape import Json

_ROOT = "Microsoft.Resources/subscriptions"


def _subscription(_asked: Question) -> Answer:
    return Answer(200, _shown())


def _subscriptions(_asked: Question) -> Answer:
    return Answer(200, {"value": [_shown()]})


def _shown() -> Json:
    named = {"id": f"/subscriptions/{OURS}", "subscriptionId": OURS, "tenantId": TENANT}
    return {**named, "displayName": "rehearsal", "state": "Enabled"}


def _locations(_asked: Question) -> Answer:
    place = f"/subscriptions/{OURS}/locations"
    return Answer(
        200, {"value": [{"id": f"{place}/{each}", "name": each, "displayName": each} for each in kinds.LOCATIONS]}
    )


def _provider(asked: Question) -> Answer:
    return Answer(200, _registration(asked, check_namespace(asked["namespace"])))


def _providers(asked: Question) -> Answer:
    return Answer(200, {"value": [_registration(asked, each) for each in kinds.NAMESPACES]})


def _register(asked: Question) -> Answer:
    namespace = check_namespace(asked["namespace"])
    asked.account.registered.setdefault(namespace.lower(), asked.account.now + asked.account.lag)
    return Answer(200, _registration(asked, namespace))


def _registration(asked: Question, namespace: str) -> Json:
    since = asked.account.registered.get(namespace.lower())
    state = "NotRegistered" if since is None else "Registering" if since > asked.account.now else "Registered"
    identity = f"/subscriptions/{OURS}/providers/{namespace}"
    policy = {"registrationPolicy": "RegistrationRequired", "resourceTypes": []}
    return {"id": identity, "namespace": namespace, "registrationState": state, **policy}


_PROVIDER = f"{SUBSCRIPTION}/providers/{{namespace}}"
ROUTES = (
    Route("GET /subscriptions", kinds.SUBSCRIPTION, _subscriptions, f"{_ROOT}/read"),
    Route(f"GET {SUBSCRIPTION}", kinds.SUBSCRIPTION, _subscription, f"{_ROOT}/read"),
    Route(f"GET {SUBSCRIPTION}/locations", kinds.SUBSCRIPTION, _locations, f"{_ROOT}/locations/read"),
    Route(f"GET {SUBSCRIPTION}/providers", kinds.SUBSCRIPTION, _providers, f"{_ROOT}/providers/read"),
    Route(f"GET {_PROVIDER}", kinds.SUBSCRIPTION, _provider, f"{_ROOT}/providers/read"),
    Route(f"POST {_PROVIDER}/register", kinds.SUBSCRIPTION, _register),
)
