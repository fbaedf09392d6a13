"""Google Cloud: workload identity federation, through a service account of the workflow's own.

https://docs.cloud.google.com/iam/docs/workload-identity-federation-with-deployment-pipelines
"""

from __future__ import annotations

import hashlib

from mldeploy.ci.signing.base import (
    KEEP_TOKEN,
    CiSystem,
    Pairs,
    SetupStep,
    SignIn,
    SignInContext,
    WorkflowStep,
    var,
)

PIPELINES_AUDIENCE = "api://AzureADTokenExchange"
_WITHOUT_REGION = frozenset({"gcr"})
"""Targets that are in no region."""


def sign_in(context: SignInContext) -> SignIn:
    """By google-github-actions/auth, which leaves GOOGLE_APPLICATION_CREDENTIALS and the project's name.

    Raises ConfigError for previews without a project of their own: a role of a project's is not limited to names.
    """
    context.require_isolation("project", f"{context.app}-previews")
    if context.system is not CiSystem.GITHUB:
        return _by_token(context)
    project = context.setting("project") or var("GCP_PROJECT")
    given = (
        ("workload_identity_provider", var("GCP_WORKLOAD_IDENTITY_PROVIDER")),
        ("service_account", var("GCP_SERVICE_ACCOUNT")),
        ("project_id", project),
    )
    why = "It writes its credentials where it stands: the app is checked out beside that, or its image would hold them."
    step = WorkflowStep("Sign in to Google Cloud", uses="google-github-actions/auth@v3", given=given, why=why)
    env = _region(context)
    named = ("GCP_WORKLOAD_IDENTITY_PROVIDER", "GCP_SERVICE_ACCOUNT")
    missing = (*(() if context.setting("project") else ("GCP_PROJECT",)), *(("GCP_REGION",) if env else ()))
    return SignIn(
        (step,), tuple(_setup_steps(context, missing)), (*named, *missing), env=env, federated=True, aside=True
    )


def _by_token(context: SignInContext) -> SignIn:
    """By a file that says where the job's token is, as `gcloud iam workload-identity-pools create-cred-config` writes.

    https://docs.cloud.google.com/iam/docs/workload-identity-federation-with-deployment-pipelines
    """
    impersonate = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts"
    document = (
        '{"type": "external_account", "audience": "//iam.googleapis.com/$GCP_WORKLOAD_IDENTITY_PROVIDER",',
        ' "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",',
        ' "token_url": "https://sts.googleapis.com/v1/token",',
        f' "service_account_impersonation_url": "{impersonate}/$GCP_SERVICE_ACCOUNT:generateAccessToken",',
        ' "credential_source": {"file": "$RUNNER_TEMP/token"}}',
    )
    region = _region(context)
    exported = f'GOOGLE_CLOUD_PROJECT="{context.setting("project") or "$GCP_PROJECT"}"'
    exported += ' GOOGLE_CLOUD_REGION="$GCP_REGION"' if region else ""
    lines = (
        *KEEP_TOKEN,
        'cat > "$RUNNER_TEMP/google.json" <<END',
        *document,
        "END",
        f'export GOOGLE_APPLICATION_CREDENTIALS="$RUNNER_TEMP/google.json" {exported}',
    )
    missing = (*(() if context.setting("project") else ("GCP_PROJECT",)), *(("GCP_REGION",) if region else ()))
    variables = ("GCP_WORKLOAD_IDENTITY_PROVIDER", "GCP_SERVICE_ACCOUNT", *missing)
    return SignIn(
        (WorkflowStep("Sign in to Google Cloud", lines),),
        tuple(_setup_steps(context, missing)),
        variables,
        federated=True,
        audience=context.issuer if context.system is CiSystem.GITLAB else PIPELINES_AUDIENCE,
    )


def _region(context: SignInContext) -> Pairs:
    """Where nothing in the configuration says it."""
    if context.target in _WITHOUT_REGION or context.setting("region") or context.setting("zone"):
        return ()
    return (("GOOGLE_CLOUD_REGION", var("GCP_REGION")),)


def _setup_steps(context: SignInContext, missing: tuple[str, ...]) -> list[SetupStep]:
    names = {"GCP_PROJECT": "$PROJECT", "GCP_REGION": "$(gcloud config get-value compute/region)"}
    pool = f"gcloud iam workload-identity-pools create {_short_name(context)} --project=$PROJECT --location=global"
    return [
        SetupStep("say which project it is, and let it take such tokens", tuple(_project(context))),
        SetupStep(
            _describe_trust(context),
            (pool, _provider(context)),
        ),
        SetupStep("make an account for the workflow, with what mldeploy needs", tuple(_account(context))),
        SetupStep(
            "tell the workflow",
            (
                context.variable("GCP_WORKLOAD_IDENTITY_PROVIDER", f"$POOL/providers/{_provider_name(context)}"),
                context.variable("GCP_SERVICE_ACCOUNT", "$ACCOUNT"),
                *(context.variable(name, names[name]) for name in missing),
            ),
        ),
    ]


def _project(context: SignInContext) -> list[str]:
    services = "iamcredentials.googleapis.com sts.googleapis.com cloudresourcemanager.googleapis.com"
    return [
        f"PROJECT={context.setting('project') or '$(gcloud config get-value project)'}",
        "NUMBER=$(gcloud projects describe $PROJECT --format='value(projectNumber)')",
        f"POOL=projects/$NUMBER/locations/global/workloadIdentityPools/{_short_name(context)}",
        f"ACCOUNT={_short_name(context)}@$PROJECT.iam.gserviceaccount.com",
        f"gcloud services enable {services} --project=$PROJECT",
    ]


def _describe_trust(context: SignInContext) -> str:
    if context.system is CiSystem.AZURE_PIPELINES:
        return f"let the project trust the tokens of {context.trusted} alone"
    if context.system is CiSystem.GITLAB:
        return "let the project trust GitLab's tokens: of this project and this environment alone"
    where = "this branch and this environment" if "ref" in _claims(context) else "this environment"
    joined = f"this repository, {where}" if "ref" in _claims(context) else f"this repository and {where}"
    return f"let the project trust GitHub's tokens: of {joined} alone"


def _claims(context: SignInContext) -> dict[str, str]:
    """What a token must say. A pull request and a tag have another ref than the branch."""
    ref = {} if context.is_preview or context.sources else {"ref": f"refs/heads/{context.branch}"}
    return {"repository": context.repository, **ref, "environment": context.environment}


def _provider(context: SignInContext) -> str:
    condition = " && ".join(f"assertion.{claim}=='{value}'" for claim, value in _claims(context).items())
    mapping, audience = "google.subject=assertion.sub,attribute.repository=assertion.repository", ""
    if context.system is CiSystem.AZURE_PIPELINES:
        condition = "assertion.sub=='$SUBJECT'"
        mapping = "google.subject='pipelines',attribute.repository=assertion.sub"
        audience = f" --allowed-audiences={PIPELINES_AUDIENCE}"
    if context.system is CiSystem.GITLAB:
        condition = f"assertion.project_path=='{context.repository}' && {_environment(context)}"
        # A subject has 127 characters at most, and GitLab's holds the name of the branch.
        mapping = "google.subject=assertion.job_id,attribute.repository=assertion.project_path"
        audience = f" --allowed-audiences={context.issuer}"
    return " ".join(
        (
            f"gcloud iam workload-identity-pools providers create-oidc {_provider_name(context)} --project=$PROJECT",
            f"--location=global --workload-identity-pool={_short_name(context)}",
            f"--issuer-uri={context.issuer}{audience}",
            f'--attribute-mapping="{mapping}" --attribute-condition="{condition}"',
        )
    )


def _environment(context: SignInContext) -> str:
    """Of GitLab's token: each preview has one of its own."""
    if context.is_preview:
        return f"assertion.environment.startsWith('{context.environment}/')"
    return f"assertion.environment=='{context.environment}' && assertion.ref_type=='{context.ref_type}'"


def _account(context: SignInContext) -> list[str]:
    role = _short_name(context).replace("-", "_")
    named = f"{context.command} | jq --raw-output '.includedPermissions | join(\",\")'"
    grant = f"--member=serviceAccount:$ACCOUNT --role=projects/$PROJECT/roles/{role}"
    repository = "$SUBJECT" if context.system is CiSystem.AZURE_PIPELINES else context.repository
    trusted = f"principalSet://iam.googleapis.com/$POOL/attribute.repository/{repository}"
    user = f'--role=roles/iam.workloadIdentityUser --member="{trusted}"'
    granted = [
        f"gcloud iam service-accounts create {_short_name(context)} --project=$PROJECT",
        f'gcloud iam roles create {role} --project=$PROJECT --permissions="$({named})"',
        f"gcloud projects add-iam-policy-binding $PROJECT --condition=None {grant}",
        f"gcloud iam service-accounts add-iam-policy-binding $ACCOUNT --project=$PROJECT {user}",
    ]
    for project in sorted({each.setting("project") for each in context.sources} - {"", context.setting("project")}):
        there = f"--member=serviceAccount:$ACCOUNT --role=projects/{project}/roles/{role}"
        granted += [
            f'gcloud iam roles create {role} --project={project} --permissions="$({named})"',
            f"gcloud projects add-iam-policy-binding {project} --condition=None {there}",
        ]
    return granted


def _provider_name(context: SignInContext) -> str:
    """In the pool, which is the workflow's own."""
    return context.system.value


def _short_name(context: SignInContext) -> str:
    """The name of an account and of a pool of its own: of 6 to 30 characters, the last of them no hyphen."""
    if context.stage:
        name = f"{context.app}-{context.stage}"
        return f"ci-{context.stage}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"[:30]
    return f"ci-{context.app}"[:30].rstrip("-").ljust(6, "0")
