"""Microsoft Azure: an app registration that trusts this one environment of this one repository.

https://learn.microsoft.com/azure/developer/github/connect-from-azure-openid-connect
"""

from __future__ import annotations

import json

from mldeploy.ci.signing.base import ISSUER, SetupStep, SignIn, SignInContext, WorkflowStep, identity_command, var

AUDIENCE = "api://AzureADTokenExchange"
SCOPES = ("https://management.azure.com/.default", "https://containerregistry.azure.net/.default")
"""What mldeploy asks tokens for."""
_GROUP_REMARK = (
    "the app's resource group has to be there before a role in it can be given: `mldeploy destroy` empties it then, "
    "and leaves it to you"
)


def sign_in(context: SignInContext) -> SignIn:
    """By azure/login, which leaves the sign-in of `az`, where the SDK finds it.

    Raises ConfigError for previews without a resource group of their own.
    """
    context.require_isolation("resource_group", f"{context.app}-previews")
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


def _setup_steps(context: SignInContext, missing: tuple[str, ...]) -> list[SetupStep]:
    values = {
        "AZURE_SUBSCRIPTION_ID": "$SUBSCRIPTION",
        "AZURE_LOCATION": "$(az config get defaults.location --query value --output tsv)",
    }
    numbered = f"repo:$IDENTITY:environment:{context.environment}"
    subscription = context.setting("subscription") or "$(az account show --query id --output tsv)"
    return [
        SetupStep(
            "register the workflow as an app, with an account of its own",
            (
                f"SUBSCRIPTION={subscription}",
                f"APP=$(az ad app create --display-name {context.role} --query appId --output tsv)",
                'az ad sp create --id "$APP"',
                identity_command(context.repository),
            ),
        ),
        SetupStep(
            "let it trust GitHub's tokens: of this environment of this repository alone, by both names that they have",
            (_credential("names", context.subject), _credential("numbers", numbered)),
        ),
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


def _credential(name: str, subject: str) -> str:
    parameters = {"name": f"github-{name}", "issuer": ISSUER, "subject": subject, "audiences": [AUDIENCE]}
    text = json.dumps(parameters).replace('"', r"\"")
    return f'az ad app federated-credential create --id "$APP" --parameters "{text}"'


def _grant(context: SignInContext) -> list[str]:
    """`mldeploy policy` prints two roles: one for the subscription, one for the app's group, which has to be there."""
    location = context.setting("region") or "$(az config get defaults.location --query value --output tsv)"
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
