"""Microsoft Azure: an app registration that trusts this one environment of this one repository.

https://learn.microsoft.com/azure/developer/github/connect-from-azure-openid-connect
"""

from __future__ import annotations

import json
from dataclasses import replace

from mldeploy.ci.signing.base import (
    KEEP_TOKEN,
    TOKEN_FILE,
    CiSystem,
    SetupStep,
    SignIn,
    SignInContext,
    WorkflowStep,
    identity_command,
    var,
)

AUDIENCE = "api://AzureADTokenExchange"
SCOPES = ("https://management.azure.com/.default", "https://containerregistry.azure.net/.default")
"""What mldeploy asks tokens for."""
_LOCATION = "$(az config get defaults.location --query value --output tsv)"
_GROUP_REMARK = (
    "the app's resource group has to be there before a role in it can be given: `mldeploy destroy` empties it then, "
    "and leaves it to you"
)


def sign_in(context: SignInContext) -> SignIn:
    """By azure/login, which leaves the sign-in of `az`, where the SDK finds it.

    Raises ConfigError for previews without a resource group of their own.
    """
    context.require_isolation("resource_group", f"{context.app}-previews")
    if context.system is CiSystem.GITLAB:
        return _by_token(context)
    if context.system is CiSystem.AZURE_PIPELINES:
        return _by_connection(context)
    subscription = context.setting("subscription") or var("AZURE_SUBSCRIPTION_ID")
    given = (
        ("client-id", var("AZURE_CLIENT_ID")),
        ("tenant-id", var("AZURE_TENANT_ID")),
        ("subscription-id", subscription),
    )
    steps = (
        WorkflowStep("Sign in to Azure", uses="azure/login@v3", given=given),
        WorkflowStep(
            "Keep the tokens that are needed later",
            tuple(f"az account get-access-token --scope {scope} --output none" for scope in SCOPES),
            why="GitHub's own token is good for a few minutes; those that az keeps are, for an hour.",
        ),
    )
    env = () if context.setting("region") else (("AZURE_LOCATION", var("AZURE_LOCATION")),)
    missing = (
        *(() if context.setting("subscription") else ("AZURE_SUBSCRIPTION_ID",)),
        *(("AZURE_LOCATION",) if env else ()),
    )
    variables = ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", *missing)
    return SignIn(
        steps, tuple(_setup_steps(context, missing)), variables, env=env, federated=True, remarks=(_GROUP_REMARK,)
    )


def _by_connection(context: SignInContext) -> SignIn:
    """By the task's own sign-in of `az`, whose token is good for a few minutes; those that `az` keeps are, an hour."""
    lines = tuple(f"az account get-access-token --scope {scope} --output none" for scope in SCOPES)
    missing = () if context.setting("region") else ("AZURE_LOCATION",)
    setup = (
        SetupStep("grant the service connection what mldeploy needs", ('APP="$CLIENT_ID"', *_grant(context))),
        *((SetupStep("tell the workflow", (context.variable(missing[0], _LOCATION),)),) if missing else ()),
    )
    keep = WorkflowStep("Keep the tokens that are needed later", lines)
    return SignIn((keep,), setup, missing, federated=True, remarks=(_GROUP_REMARK,))


def _by_token(context: SignInContext) -> SignIn:
    """By a file, which the SDK's WorkloadIdentityCredential reads. GitLab's token is valid as long as the job.

    https://docs.gitlab.com/ci/cloud_services/azure/
    """
    exported = f"AZURE_FEDERATED_TOKEN_FILE={TOKEN_FILE} AZURE_CLIENT_ID AZURE_TENANT_ID"
    exported += f' AZURE_SUBSCRIPTION_ID="{context.setting("subscription") or "$AZURE_SUBSCRIPTION_ID"}"'
    missing = tuple(
        name
        for name, key in (("AZURE_SUBSCRIPTION_ID", "subscription"), ("AZURE_LOCATION", "region"))
        if not context.setting(key)
    )
    lines = (*KEEP_TOKEN, f"export {exported}{' AZURE_LOCATION' if 'AZURE_LOCATION' in missing else ''}")
    return SignIn(
        (WorkflowStep("Sign in to Azure", lines),),
        tuple(_setup_steps(context, missing)),
        ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", *missing),
        federated=True,
        audience=AUDIENCE,
        remarks=(_GROUP_REMARK,),
    )


def _setup_steps(context: SignInContext, missing: tuple[str, ...]) -> list[SetupStep]:
    values = {
        "AZURE_SUBSCRIPTION_ID": "$SUBSCRIPTION",
        "AZURE_LOCATION": _LOCATION,
    }
    subscription = context.setting("subscription") or "$(az account show --query id --output tsv)"
    return [
        SetupStep(
            "register the workflow as an app, with an account of its own",
            (
                f"SUBSCRIPTION={subscription}",
                f"APP=$(az ad app create --display-name {context.role} --query appId --output tsv)",
                'az ad sp create --id "$APP"',
                *((identity_command(context.repository),) if context.system is CiSystem.GITHUB else ()),
            ),
        ),
        _trust(context),
        SetupStep("grant it what mldeploy needs", tuple(_grant(context))),
        SetupStep(
            "tell the workflow",
            (
                context.variable("AZURE_CLIENT_ID", "$APP"),
                context.variable("AZURE_TENANT_ID", "$(az account show --query tenantId --output tsv)"),
                *(context.variable(name, values[name]) for name in missing),
            ),
        ),
    ]


def _trust(context: SignInContext) -> SetupStep:
    if context.system is CiSystem.GITLAB:
        what = f"let it trust GitLab's tokens: of this project's {context.ref_type} {context.ref} alone"
        return SetupStep(what, (_matching(context) if "*" in context.ref else _credential(context, "ref"),))
    numbered = replace(context, repository="$IDENTITY")
    return SetupStep(
        "let it trust GitHub's tokens: of this environment of this repository alone, by both names that they have",
        (_credential(context, "names"), _credential(numbered, "numbers")),
    )


def _credential(context: SignInContext, name: str) -> str:
    named = f"{context.system.value}-{name}"
    parameters = {"name": named, "issuer": context.issuer, "subject": context.subject, "audiences": [AUDIENCE]}
    text = json.dumps(parameters).replace('"', r"\"")
    return f'az ad app federated-credential create --id "$APP" --parameters "{text}"'


def _matching(context: SignInContext) -> str:
    """A subject with a wildcard is a flexible credential, which only the beta of Microsoft Graph makes.

    https://learn.microsoft.com/entra/workload-id/workload-identities-set-up-flexible-federated-identity-credential
    """
    expression = {"value": f"claims['sub'] matches '{context.subject}'", "languageVersion": 1}
    body = {"name": f"{context.system.value}-refs", "issuer": context.issuer, "audiences": [AUDIENCE]}
    text = json.dumps({**body, "claimsMatchingExpression": expression}).replace('"', r"\"")
    address = "https://graph.microsoft.com/beta/applications(appId='$APP')/federatedIdentityCredentials"
    return f'az rest --method post --url "{address}" --body "{text}"'


def _grant(context: SignInContext) -> list[str]:
    """`mldeploy policy` prints two roles: one for the subscription, one for the app's group, which has to be there."""
    location = context.setting("region") or _LOCATION
    assign = 'az role assignment create --assignee "$APP" --role "$(jq --raw-output .Name <<< "$ROLE")"'
    granted = [
        f"POLICY=$({context.command})",
        """GROUP=$(jq --raw-output '.roles[1].AssignableScopes[0]' <<< "$POLICY")""",
        f'az group create --name "${{GROUP##*/}}" --location "{location}"',
        "for NUMBER in 0 1; do",
        '  ROLE=$(jq ".roles[$NUMBER]" <<< "$POLICY")',
        '  az role definition create --role-definition "$ROLE"',
        f"""  {assign} --scope "$(jq --raw-output '.AssignableScopes[0]' <<< "$ROLE")\"""",
        "done",
    ]
    for command in context.commands[1:]:  # its roles are there since the source was set up
        granted += [f"POLICY=$({command})", *granted[3:5], granted[6], "done"]
    return granted
