"""Amazon Web Services: a role that this one environment of this one repository may take on for an hour.

https://docs.github.com/en/actions/how-tos/secure-your-work/security-harden-deployments/oidc-in-aws
"""

from __future__ import annotations

import json

from mldeploy.ci.signing.base import ISSUER, Once, Place, SignIn, identity_of, var
from mldeploy.ci.steps import Step

AUDIENCE = "sts.amazonaws.com"
HOST = ISSUER.removeprefix("https://")


def sign_in(place: Place) -> SignIn:
    """By aws-actions/configure-aws-credentials, which leaves AWS_ACCESS_KEY_ID and the like for the SDK to find."""
    region = place.said("region")
    given = (("role-to-assume", var("AWS_ROLE_ARN")), ("aws-region", region or var("AWS_REGION")))
    step = Step("Sign in to AWS", uses="aws-actions/configure-aws-credentials@v6", given=given)
    variables = ("AWS_ROLE_ARN", *(() if region else ("AWS_REGION",)))
    return SignIn((step,), tuple(_once(place, region)), variables, federated=True)


def _once(place: Place, region: str) -> list[Once]:
    provider = f"aws iam create-open-id-connect-provider --url {ISSUER} --client-id-list {AUDIENCE}"
    role = f'aws iam create-role --role-name {place.role} --assume-role-policy-document "$TRUST"'
    policy = f'--policy-name mldeploy --policy-document "$({place.command})"'
    names = [place.variable("AWS_ROLE_ARN", f"arn:aws:iam::$ACCOUNT:role/{place.role}")]
    if not region:
        names.append(place.variable("AWS_REGION", "$(aws configure get region)"))
    account = "ACCOUNT=$(aws sts get-caller-identity --query Account --output text)"
    trusted = ("TRUST=$(cat <<END", *trust(place).splitlines(), "END", ")")
    return [
        Once("let the account trust GitHub's tokens, unless it does already", (provider,)),
        Once(
            "make a role for the workflow, which this environment of this repository alone may take on",
            (account, identity_of(place.repository), *trusted, role),
        ),
        Once("grant it what mldeploy needs", (f"aws iam put-role-policy --role-name {place.role} {policy}",)),
        Once("tell the workflow", tuple(names)),
    ]


def trust(place: Place) -> str:
    """The role's trust policy as JSON, with $ACCOUNT and $IDENTITY still to be filled in by a shell."""
    subjects = [place.subject, f"repo:$IDENTITY:environment:{place.environment}"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::$ACCOUNT:oidc-provider/{HOST}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{HOST}:aud": AUDIENCE, f"{HOST}:sub": subjects}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=2)
