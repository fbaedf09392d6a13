"""Amazon Web Services: a role that this one environment of this one repository may take on for an hour.

https://docs.github.com/en/actions/how-tos/secure-your-work/security-harden-deployments/oidc-in-aws
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from mldeploy.ci.signing.base import ISSUER, SetupStep, SignIn, SignInContext, WorkflowStep, identity_command, var

AUDIENCE = "sts.amazonaws.com"
HOST = ISSUER.removeprefix("https://")
PREVIEW_REMARK = (
    "the role of the previews makes roles for their tasks: limit those with permissions_boundary in "
    "[env.preview.target.fargate] (`mldeploy policy --with boundary`)"
)


def sign_in(context: SignInContext) -> SignIn:
    """By aws-actions/configure-aws-credentials, which leaves AWS_ACCESS_KEY_ID and the like for the SDK to find."""
    region = context.setting("region")
    given = (("role-to-assume", var("AWS_ROLE_ARN")), ("aws-region", region or var("AWS_REGION")))
    step = WorkflowStep("Sign in to AWS", uses="aws-actions/configure-aws-credentials@v6", given=given)
    variables = ("AWS_ROLE_ARN", *(() if region else ("AWS_REGION",)))
    remarks = (PREVIEW_REMARK,) if context.is_preview else ()
    return SignIn((step,), tuple(_setup_steps(context, region)), variables, federated=True, remarks=remarks)


def _setup_steps(context: SignInContext, region: str) -> list[SetupStep]:
    provider = f"aws iam create-open-id-connect-provider --url {ISSUER} --client-id-list {AUDIENCE}"
    role = f'aws iam create-role --role-name {context.role} --assume-role-policy-document "$TRUST"'
    names = [context.variable("AWS_ROLE_ARN", f"arn:aws:iam::$ACCOUNT:role/{context.role}")]
    if not region:
        names.append(context.variable("AWS_REGION", "$(aws configure get region)"))
    account = "ACCOUNT=$(aws sts get-caller-identity --query Account --output text)"
    trusted = ("TRUST=$(cat <<END", *trust_policy(context).splitlines(), "END", ")")
    return [
        SetupStep("let the account trust GitHub's tokens, unless it does already", (provider,)),
        SetupStep(
            "make a role for the workflow, which this environment of this repository alone may take on",
            (account, identity_command(context.repository), *trusted, role),
        ),
        SetupStep("grant it what mldeploy needs", tuple(_policies(context))),
        SetupStep("tell the workflow", tuple(names)),
    ]


def _policies(context: SignInContext) -> Iterator[str]:
    limits = " --with previews" if context.is_preview else ""
    for name, command in zip(("", *(each.name for each in context.sources)), context.commands, strict=True):
        policy = "-".join(filter(None, ("mldeploy", name)))
        document = f'"$({command}{limits if command == context.command else ""} --part all)"'
        yield f"aws iam put-role-policy --role-name {context.role} --policy-name {policy} --policy-document {document}"


def trust_policy(context: SignInContext) -> str:
    """The role's trust policy as JSON, with $ACCOUNT and $IDENTITY still to be filled in by a shell."""
    subjects = [context.subject, f"repo:$IDENTITY:environment:{context.environment}"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::$ACCOUNT:oidc-provider/{HOST}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{HOST}:aud": AUDIENCE, f"{HOST}:sub": subjects}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=2)
