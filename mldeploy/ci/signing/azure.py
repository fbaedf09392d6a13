"""Microsoft Azure: an app registration that trusts this one environment of this one repository.

https://learn.microsoft.com/azure/developer/github/connect-from-azure-openid-connect
"""

from __future__ import annotations

import json

from mldeploy.ci.signing.base import ISSUER, Once, Place, SignIn, identity_of, var
from mldeploy.ci.steps import Step

AUDIENCE = "api://AzureADTokenExchange"
SCOPES = ("https://management.azure.com/.default", "https://containerregistry.azure.net/.default")
"""What mldeploy asks tokens for."""
_OF_THE_GROUP = (
    "the app's resource group has to be there before a role in it can be given: `mldeploy destroy` empties it then, "
    "and leaves it to you"
)


def sign_in(place: Place) -> SignIn:
    """By azure/login, which leaves the sign-in of `az`, where the SDK finds it."""
    subscription = place.said("subscription") or var("AZURE_SUBSCRIPTION_ID")
    given = (
        ("client-id", var("AZURE_CLIENT_ID")),
        ("tenant-id", var("AZURE_TENANT_ID")),
        ("subscription-id", subscription),
    )
    steps = (
        Step("Sign in to Azure", uses="azure/login@v3", given=given),
        Step(
            "Keep the tokens that are needed later",
            tuple(f"az account get-access-token --scope {scope} --output none" for scope in SCOPES),
            why="GitHub's own token is good for a few minutes; those that az keeps are, for an hour.",
        ),
    )
    env = () if place.said("region") else (("AZURE_LOCATION", var("AZURE_LOCATION")),)
    missing = (
        *(() if place.said("subscription") else ("AZURE_SUBSCRIPTION_ID",)),
        *(("AZURE_LOCATION",) if env else ()),
    )
    variables = ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", *missing)
    return SignIn(steps, tuple(_once(place, missing)), variables, env=env, federated=True, remarks=(_OF_THE_GROUP,))


def _once(place: Place, missing: tuple[str, ...]) -> list[Once]:
    values = {
        "AZURE_SUBSCRIPTION_ID": "$SUBSCRIPTION",
        "AZURE_LOCATION": "$(az config get defaults.location --query value --output tsv)",
    }
    numbered = f"repo:$IDENTITY:environment:{place.environment}"
    subscription = place.said("subscription") or "$(az account show --query id --output tsv)"
    return [
        Once(
            "register the workflow as an app, with an account of its own",
            (
                f"SUBSCRIPTION={subscription}",
                f"APP=$(az ad app create --display-name {place.role} --query appId --output tsv)",
                'az ad sp create --id "$APP"',
                identity_of(place.repository),
            ),
        ),
        Once(
            "let it trust GitHub's tokens: of this environment of this repository alone, by both names that they have",
            (_credential("names", place.subject), _credential("numbers", numbered)),
        ),
        Once("grant it what mldeploy needs", tuple(_grant(place))),
        Once(
            "tell the workflow",
            (
                place.variable("AZURE_CLIENT_ID", "$APP"),
                place.variable("AZURE_TENANT_ID", "$(az account show --query tenantId --output tsv)"),
                *(place.variable(name, values[name]) for name in missing),
            ),
        ),
    ]


def _credential(name: str, subject: str) -> str:
    told = {"name": f"github-{name}", "issuer": ISSUER, "subject": subject, "audiences": [AUDIENCE]}
    text = json.dumps(told).replace('"', r"\"")
    return f'az ad app federated-credential create --id "$APP" --parameters "{text}"'


def _grant(place: Place) -> list[str]:
    """`mldeploy policy` prints two roles: one for the subscription, one for the app's group, which has to be there."""
    location = place.said("region") or "$(az config get defaults.location --query value --output tsv)"
    assign = 'az role assignment create --assignee "$APP" --role "$(jq --raw-output .Name <<< "$ROLE")"'
    return [
        f"POLICY=$({place.command})",
        """GROUP=$(jq --raw-output '.roles[1].AssignableScopes[0]' <<< "$POLICY")""",
        f'az group create --name "${{GROUP##*/}}" --location "{location}"',
        "for NUMBER in 0 1; do",
        '  ROLE=$(jq ".roles[$NUMBER]" <<< "$POLICY")',
        '  az role definition create --role-definition "$ROLE"',
        f"""  {assign} --scope "$(jq --raw-output '.AssignableScopes[0]' <<< "$ROLE")\"""",
        "done",
    ]
