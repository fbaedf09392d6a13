"""The service connection by which a pipeline of Azure DevOps gets a token, and the group of its variables.

https://learn.microsoft.com/azure/devops/pipelines/library/connect-to-azure
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from mldeploy.ci.signing.base import SetupStep, SignInContext

AUDIENCE = "api://AzureADTokenExchange"
FILE = '"$(mktemp --suffix=.json)"'


def list_connection_setup(context: SignInContext, *, approved: bool) -> Iterator[SetupStep]:
    """What is to be done once for an environment. approved: somebody has to approve what is deployed there.

    The commands set CLIENT_ID, ISSUER, HOST, SUBJECT and GROUP_ID for those that follow.
    """
    name, project = context.environment, context.project
    yield SetupStep(
        f"make the service connection {name}, whose token an app registration trusts without a secret",
        tuple(_connection(context)),
    )
    group = f"az pipelines variable-group create {project} --name {name} --variables MADE_BY=mldeploy"
    where = f"# In the project: Pipelines, Environments, {name}, Approvals and checks: add who approves."
    approval = (f"{where} Until then, nobody is asked.",)
    yield SetupStep(
        "create the group of its variables" + (", and let somebody approve" if approved else ""),
        (f"GROUP_ID=$({group} --query id --output tsv)", *(approval if approved else ())),
    )


def _connection(context: SignInContext) -> Iterator[str]:
    name, project = context.environment, context.project
    _, _, project_name = context.repository.partition("/")
    document = {
        "name": name,
        "type": "azurerm",
        "url": "https://management.azure.com/",
        "authorization": {
            "scheme": "WorkloadIdentityFederation",
            "parameters": {"tenantid": "$TENANT", "serviceprincipalid": "$CLIENT_ID"},
        },
        "data": {
            "subscriptionId": "$SUBSCRIPTION",
            "subscriptionName": "$SUBSCRIPTION_NAME",
            "environment": "AzureCloud",
            "scopeLevel": "Subscription",
            "creationMode": "Manual",
        },
        "isShared": False,
        "serviceEndpointProjectReferences": [
            {"name": name, "projectReference": {"id": "$PROJECT_ID", "name": project_name}}
        ],
    }
    trust = {"name": "pipelines", "issuer": "$ISSUER", "subject": "$SUBJECT", "audiences": [AUDIENCE]}
    told = json.dumps(trust).replace('"', r"\"")
    parameter = "authorization.parameters.workloadIdentityFederation{}".format
    organization = project.partition(" --project")[0]
    yield f"PROJECT_ID=$(az devops project show {organization} --project {project_name} --query id --output tsv)"
    yield "TENANT=$(az account show --query tenantId --output tsv)"
    yield f"SUBSCRIPTION={context.setting('subscription') or '$(az account show --query id --output tsv)'}"
    yield 'SUBSCRIPTION_NAME=$(az account show --subscription "$SUBSCRIPTION" --query name --output tsv)'
    yield f"CLIENT_ID=$(az ad app create --display-name {context.role} --query appId --output tsv)"
    yield 'az ad sp create --id "$CLIENT_ID"'
    yield f"CONNECTION={FILE}"
    yield 'cat > "$CONNECTION" <<END'
    yield from json.dumps(document, indent=2).splitlines()
    yield "END"
    made = f'az devops service-endpoint create {project} --service-endpoint-configuration "$CONNECTION"'
    yield f"ENDPOINT=$({made} --output json)"
    for variable, key in (("ISSUER", "Issuer"), ("SUBJECT", "Subject")):
        yield f"""{variable}=$(jq --raw-output '.{parameter(key)}' <<< "$ENDPOINT")"""
    yield 'HOST="${ISSUER#https://}"'
    yield f'az ad app federated-credential create --id "$CLIENT_ID" --parameters "{told}"'
