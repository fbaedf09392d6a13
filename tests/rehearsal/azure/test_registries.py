"""Registries: names that are one of a kind, tokens of limited scope, an admin user that must be enabled."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from azure.core.exceptions import HttpResponseError
from docker.errors import APIError

from mldeploy.image.engine import Engine
from mldeploy.rehearsal.azure import FaultKind, FaultOrder
from tests.rehearsal.azure.clients import Clients, catch_error
from tests.rehearsal.azure.estate import ACR_PULL, GROUP, REGION, REGISTRY, USER, assign, group_in, push, registry_in

pytestmark = pytest.mark.engine
KIND = "Microsoft.ContainerRegistry/registries"


def available(azure: Clients, name: str) -> tuple[bool, str]:
    answer = azure.registries.registries.check_name_availability({"name": name, "type": KIND})
    return bool(answer.name_available), str(answer.reason or "")


def scoped(azure: Clients, login: str, actions: str, password: str = "", user: str = USER) -> requests.Response:
    query = {"service": login, "scope": f"repository:app:{actions}"}
    access = (user, password or azure.password(login))
    return requests.get(f"http://{login}/oauth2/token", query, auth=access, timeout=60)


def status(login: str, method: str, path: str, token: str = "") -> int:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return requests.request(method, f"http://{login}/v2/{path}", headers=headers, timeout=60).status_code


def test_a_name_is_one_of_a_kind_in_the_world(azure: Clients) -> None:
    registry_in(azure)
    azure.rehearsal.reserve_name(KIND, "theirs")
    assert available(azure, "fresh1") == (True, "")
    assert available(azure, REGISTRY.upper()) == (False, "AlreadyExists")
    assert available(azure, "theirs") == (False, "AlreadyExists")
    assert available(azure, "a-b") == (False, "Invalid")
    assert catch_error(lambda: registry_in(azure, "theirs")) == (409, "AlreadyInUse")
    assert catch_error(lambda: registry_in(azure, "x")) == (400, "InvalidRegistryName")


def test_the_admin_user_exists_only_where_it_is_enabled(azure: Clients) -> None:
    login, registries = registry_in(azure).login_server, azure.registries.registries
    assert catch_error(lambda: registries.list_credentials(GROUP, REGISTRY)) == (
        400,
        "UnAuthorizedForCredentialOperations",
    )
    change: Any = {"properties": {"adminUserEnabled": True}}
    registries.begin_update(GROUP, REGISTRY, change).result()
    credentials: Any = registries.list_credentials(GROUP, REGISTRY)
    password = str(credentials.passwords[0].value)
    assert credentials.username == REGISTRY
    assert scoped(azure, login, "pull,push", password, REGISTRY).ok
    assert scoped(azure, login, "pull", "wrong", REGISTRY).status_code == 401
    change = {"properties": {"adminUserEnabled": False}}
    registries.begin_update(GROUP, REGISTRY, change).result()
    assert scoped(azure, login, "pull", password, REGISTRY).status_code == 401


def test_one_whose_creation_fails_stays_until_it_is_created_anew(azure: Clients) -> None:
    group_in(azure)
    azure.rehearsal.fail_registry("QuotaExceeded", "no more registries")
    with pytest.raises(HttpResponseError, match="QuotaExceeded"):
        registry_in(azure)
    assert "FAILED" in provisioning(azure)
    registry_in(azure)
    assert "SUCCEEDED" in provisioning(azure)


def provisioning(azure: Clients) -> str:
    properties = azure.registries.registries.get(GROUP, REGISTRY).properties
    return str(properties and properties.provisioning_state).upper()


def test_a_request_needs_a_token_of_the_right_scope(azure: Clients, engine: Engine, scrap: str) -> None:
    login = registry_in(azure).login_server
    push(engine, azure, login, scrap)
    assert status(login, "GET", "app/manifests/1") == 401
    answer = requests.get(f"http://{login}/v2/", timeout=60)
    assert answer.headers["WWW-Authenticate"].startswith(f'Bearer realm="http://{login}/oauth2/token"')
    puller = scoped(azure, login, "pull").json()["access_token"]
    assert status(login, "GET", "app/manifests/1", puller) == 200
    assert status(login, "GET", "other/manifests/1", puller) == 401
    assert status(login, "POST", "app/blobs/uploads/", puller) == 401
    pusher = scoped(azure, login, "pull,push").json()["access_token"]
    assert status(login, "POST", "app/blobs/uploads/", pusher) == 202


def test_only_a_token_of_entras_is_exchanged(azure: Clients) -> None:
    login = registry_in(azure).login_server
    assert azure.password(login) == azure.password(login), "or the engine would push all of it once more"
    assert azure.exchange(login, token="a.b.c").status_code == 401
    assert azure.exchange(login, token=azure.password(login)).status_code == 401


def test_the_engine_is_told_that_a_password_is_wrong(azure: Clients, engine: Engine) -> None:
    login = registry_in(azure).login_server
    with pytest.raises(APIError, match="unauthorized"):
        engine.client.login(USER, "wrong", registry=f"http://{login}", reauth=True)


def test_images_go_with_their_registry_and_leave_another_alone(azure: Clients, engine: Engine, scrap: str) -> None:
    one, other = registry_in(azure).login_server, registry_in(azure, "otherregistry").login_server
    assert one != other
    digest = push(engine, azure, one, scrap)
    push(engine, azure, other, scrap)
    azure.registries.registries.begin_delete(GROUP, REGISTRY).result()
    kept = [each.name for each in azure.rehearsal.contents() if each.kind == "Microsoft.ContainerRegistry/manifests"]
    assert kept == [f"otherregistry/app@{digest}"]
    pulled = engine.client.pull(f"{other}/app", "1", auth_config={"username": USER, "password": azure.password(other)})
    assert "error" not in pulled
    again = registry_in(azure).login_server
    token = scoped(azure, again, "pull").json()["access_token"]
    azure.registries.registries.begin_delete(GROUP, "otherregistry").result()
    assert status(again, "GET", "app/manifests/1", token) == 404


def test_what_came_to_a_registry_is_written_down(azure: Clients, engine: Engine, scrap: str) -> None:
    push(engine, azure, registry_in(azure).login_server, scrap)
    assert any(each.method == "PUT" and "/app/manifests/" in each.path for each in azure.rehearsal.transfers())


def test_a_role_is_assigned_once(azure: Clients) -> None:
    registry = registry_in(azure)
    (definition,) = azure.roles.role_definitions.list(registry.id, filter="roleName eq 'AcrPull'")
    assert definition.name == ACR_PULL
    assert [each.actions for each in azure.roles.permissions.list_for_resource_group(GROUP)] == [["*"]]
    identities = azure.identities.user_assigned_identities
    identity: Any = identities.create_or_update(GROUP, "shop-identity", {"location": REGION})
    made = assign(azure, registry.id, identity.principal_id)
    assert (made.description, made.scope) == ("shop", registry.id)
    assert catch_error(lambda: assign(azure, registry.id, identity.principal_id)) == (409, "RoleAssignmentExists")
    listed = list(azure.roles.role_assignments.list_for_scope(registry.id, filter="atScope()"))
    assert made.id in [each.id for each in listed]
    assert len(listed) == 2, "the caller's own role comes from above"
    unknown_principal = "00000000-0000-0000-0000-00000000000a"
    assert catch_error(lambda: assign(azure, registry.id, unknown_principal)) == (400, "PrincipalNotFound")
    unknown = lambda: assign(azure, registry.id, identity.principal_id, role=unknown_principal)  # noqa: E731
    assert catch_error(unknown) == (400, "RoleDefinitionDoesNotExist")
    azure.roles.role_assignments.delete_by_id(made.id)
    azure.roles.role_assignments.delete_by_id(made.id)
    assert [each.kind for each in azure.rehearsal.contents() if "roleAssignments" in each.kind] == []
    identities.delete(GROUP, "shop-identity")
    assert catch_error(lambda: identities.get(GROUP, "shop-identity")) == (404, "ResourceNotFound")


def test_a_role_that_may_not_be_assigned_is_refused(azure: Clients) -> None:
    registry = registry_in(azure)
    azure.rehearsal.faults.inject(FaultOrder(FaultKind.DENIED, "Microsoft.Authorization/roleAssignments/write"))
    who = "00000000-0000-0000-0000-00000000000a"
    assert catch_error(lambda: assign(azure, registry.id, who)) == (403, "AuthorizationFailed")
