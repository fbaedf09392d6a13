"""Resource Manager is strict: versions, locations, content. Resources can be listed by their tags."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.rehearsal.azure.clients import Clients, catch_error
from tests.rehearsal.azure.estate import GROUP, REGION, REGISTRY, group_in, registry_in

REGISTRY_PATH = f"/resourceGroups/{GROUP}/providers/Microsoft.ContainerRegistry/registries/{REGISTRY}"
VERSION = "2025-11-01"
GOOD = {"location": REGION, "sku": {"name": "Basic"}}


def read_error(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, str(answer.json()["error"]["code"])


def test_the_version_of_the_api_must_be_said_and_known(azure: Clients) -> None:
    path = f"GET /resourceGroups/{GROUP}"
    assert read_error(azure.arm(path, version="")) == (400, "MissingApiVersionParameter")
    assert read_error(azure.arm(path, version="2011-01-01")) == (400, "NoRegisteredProviderFound")


def test_what_there_is_not_is_said_to_be_missing(azure: Clients) -> None:
    assert catch_error(lambda: azure.resources.resource_groups.get(GROUP)) == (404, "ResourceGroupNotFound")
    assert not azure.resources.resource_groups.check_existence(GROUP)
    assert catch_error(lambda: azure.registries.registries.get(GROUP, REGISTRY)) == (404, "ResourceGroupNotFound")
    group_in(azure)
    assert catch_error(lambda: azure.registries.registries.get(GROUP, REGISTRY)) == (404, "ResourceNotFound")
    assert read_error(azure.arm("GET /nonsense", version="2025-04-01")) == (404, "InvalidResourceType")
    other = azure.rehearsal.endpoints.url + "/subscriptions/00000000-0000-0000-0000-000000000001?api-version=2022-12-01"
    token = azure.arm("GET /locations", version="2022-12-01").request.headers["Authorization"]
    answer = requests.get(other, headers={"Authorization": token}, verify=azure.bundle, timeout=60)
    assert read_error(answer) == (404, "SubscriptionNotFound")


def test_a_namespace_must_be_registered_first(azure: Clients) -> None:
    group_in(azure)
    azure.rehearsal.unregister("Microsoft.ContainerRegistry")
    assert catch_error(lambda: azure.registries.registries.get(GROUP, REGISTRY)) == (
        409,
        "MissingSubscriptionRegistration",
    )
    azure.resources.providers.register("Microsoft.ContainerRegistry")
    registry_in(azure)
    assert catch_error(lambda: azure.resources.providers.get("Microsoft.Nonsense")) == (404, "InvalidResourceNamespace")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"sku": {"name": "Basic"}}, "LocationRequired"),
        ({"location": "moon", "sku": {"name": "Basic"}}, "LocationNotAvailableForResourceType"),
        ({"location": REGION}, "InvalidRequestContent"),
        ({"location": REGION, "sku": {"name": "Enormous"}}, "InvalidRequestContent"),
        ({**GOOD, "tags": ["a"]}, "InvalidRequestContent"),
        (
            {"location": REGION, "sku": {"name": "Basic"}, "properties": {"adminUserEnabled": "no"}},
            "InvalidRequestContent",
        ),
        ({"location": REGION, "sku": {"name": "Basic"}, "properties": {"adminEnabled": True}}, "InvalidRequestContent"),
        ({**GOOD, "tags": {str(n): "x" for n in range(51)}}, "InvalidTagsCount"),
    ],
)
def test_content_that_is_wrong_is_refused(azure: Clients, body: dict[str, Any], code: str) -> None:
    group_in(azure)
    assert read_error(azure.arm(f"PUT {REGISTRY_PATH}", body, VERSION)) == (400, code)
    assert len(azure.rehearsal.contents()) == 1


def test_what_cannot_be_moved_is_not(azure: Clients) -> None:
    registry_in(azure)
    elsewhere = {"location": "eastus", "sku": {"name": "Basic"}}
    assert read_error(azure.arm(f"PUT {REGISTRY_PATH}", elsewhere, VERSION)) == (409, "InvalidResourceLocation")
    group = {"location": "eastus"}
    assert read_error(azure.arm(f"PUT /resourceGroups/{GROUP}", group, "2025-04-01")) == (
        409,
        "InvalidResourceLocation",
    )


def test_names_are_the_same_in_capitals(azure: Clients) -> None:
    registry_in(azure)
    assert azure.registries.registries.get(GROUP.upper(), REGISTRY.upper()).name == REGISTRY


def test_things_are_found_by_their_tags(azure: Clients) -> None:
    registry_in(azure)
    azure.identities.user_assigned_identities.create_or_update(GROUP, "another", {"location": REGION})

    def names(text: str) -> list[str]:
        return [str(each.name) for each in azure.resources.resources.list(filter=text)]

    assert names("tagName eq 'owner' and tagValue eq 'shop'") == [REGISTRY]
    assert names("tagName eq 'owner' and tagValue eq 'nobody'") == []
    assert names("resourceType eq 'Microsoft.ManagedIdentity/userAssignedIdentities'") == ["another"]
    groups = azure.resources.resource_groups.list(filter="tagName eq 'owner' and tagValue eq 'shop'")
    assert [each.name for each in groups] == [GROUP]
    inside = azure.resources.resources.list_by_resource_group(GROUP)
    assert sorted(str(each.name) for each in inside) == ["another", REGISTRY]
    assert catch_error(lambda: names("colour eq 'red'")) == (400, "InvalidFilterInQueryString")


def test_tags_are_merged_replaced_and_taken_away_without_anything_else(azure: Clients) -> None:
    scope = registry_in(azure).id
    tags = azure.resources.tags

    def changed(operation: str, values: dict[str, str]) -> dict[str, str]:
        patch: Any = {"operation": operation, "properties": {"tags": values}}
        tags.begin_update_at_scope(scope, patch).result()
        return dict(tags.get_at_scope(scope).properties.tags or {})

    assert changed("Merge", {"a": "1"}) == {"owner": "shop", "a": "1"}
    assert changed("Delete", {"owner": "shop"}) == {"a": "1"}
    assert changed("Replace", {"b": "2"}) == {"b": "2"}
    assert azure.registries.registries.get(GROUP, REGISTRY).tags == {"b": "2"}
