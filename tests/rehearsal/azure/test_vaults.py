"""Key vaults: secrets are written and read by whoever has the role for it."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.keyvault.secrets import SecretClient
from azure.mgmt.appcontainers.models import Secret
from azure.mgmt.keyvault import KeyVaultManagementClient

from mldeploy.image.engine import Engine
from mldeploy.rehearsal.azure import FaultKind, FaultOrder
from mldeploy.rehearsal.azure.arm.state import CALLER
from mldeploy.rehearsal.azure.keyvault.secrets import GET_SECRET
from tests.rehearsal.azure.app_estate import AppEstate
from tests.rehearsal.azure.clients import Clients, catch_error
from tests.rehearsal.azure.estate import GROUP, REGION, assign, group_in

USER, OFFICER = "4633458b-17de-408a-b874-0445c86b69e6", "b86a8fe4-44ce-4948-aee5-eccb2c155cd7"


def vault_in(azure: Clients, name: str = "shop-vault") -> Any:
    azure.resources.providers.register("Microsoft.KeyVault")
    properties = {"tenantId": azure.values["tenant_id"], "sku": {"family": "A", "name": "standard"}}
    body: Any = {"location": REGION, "properties": properties}
    with closing(KeyVaultManagementClient(azure.credential, azure.subscription, **azure._options)) as vaults:
        return vaults.vaults.begin_create_or_update(GROUP, name, body).result()


def secrets_of(azure: Clients, vault: Any) -> SecretClient:
    return SecretClient(
        vault.properties.vault_uri,
        azure.credential,
        verify_challenge_resource=False,
        connection_verify=azure.bundle,
        retry_total=0,
    )


@pytest.fixture
def vault(azure: Clients) -> Any:
    group_in(azure)
    return vault_in(azure)


def test_an_owner_may_not_touch_secrets_and_an_officer_may(azure: Clients, vault: Any) -> None:
    with closing(secrets_of(azure, vault)) as secrets:
        with pytest.raises(HttpResponseError, match="not authorized"):
            secrets.set_secret("token", "one")
        assign(azure, vault.id, CALLER, OFFICER)
        first = secrets.set_secret("token", "one", tags={"owner": "shop"}).properties.version
        secrets.set_secret("token", "two")
        assert (secrets.get_secret("token").value, secrets.get_secret("token", first).value) == ("two", "one")
        assert [each.name for each in secrets.list_properties_of_secrets()] == ["token"]
        secrets.begin_delete_secret("token").wait()
        with pytest.raises(ResourceNotFoundError):
            secrets.get_secret("token")
        with pytest.raises(ResourceExistsError, match="deleted but recoverable"):
            secrets.set_secret("token", "three")
        secrets.purge_deleted_secret("token")
        assert secrets.set_secret("token", "three").value == "three"
        azure.rehearsal.faults.inject(FaultOrder(FaultKind.DENIED, GET_SECRET))
        with pytest.raises(HttpResponseError, match="not authorized"):
            secrets.get_secret("token")


def test_the_name_of_a_deleted_vault_stays_reserved_until_it_is_purged(azure: Clients, vault: Any) -> None:
    with closing(KeyVaultManagementClient(azure.credential, azure.subscription, **azure._options)) as vaults:
        vaults.vaults.delete(GROUP, vault.name)
        assert not list(vaults.vaults.list_by_resource_group(GROUP))
        assert catch_error(lambda: vault_in(azure)) == (409, "ConflictError")
        (deleted,) = vaults.vaults.list_deleted()
        assert deleted.name == vault.name
        vaults.vaults.begin_purge_deleted(vault.name, REGION).result()
        assert not list(vaults.vaults.list_deleted())
    assert vault_in(azure).name == vault.name


@pytest.mark.engine
def test_an_app_reads_a_secret_with_its_identity_and_the_role_for_it(
    azure: Clients, engine: Engine, scrap: str
) -> None:
    shop = AppEstate.made(azure, engine, base=scrap)
    vault = vault_in(azure)
    assign(azure, vault.id, CALLER, OFFICER)
    with closing(secrets_of(azure, vault)) as secrets:
        uri = str(secrets.set_secret("token", "one").id)
    referring = {"secrets": [Secret(name="token", key_vault_url=uri, identity=shop.identity.id)]}
    with pytest.raises(HttpResponseError, match="unable to fetch secret 'token' using Managed identity"):
        shop.create(configuration=referring)
    assign(azure, vault.id, str(shop.identity.principal_id), USER)
    assert shop.create(configuration=referring).properties.provisioning_state == "Succeeded"
