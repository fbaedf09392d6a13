"""Any Kubernetes cluster: a kubeconfig, kept as a secret, and the password of a registry."""

from __future__ import annotations

from mldeploy.ci.signing.base import (
    CiSystem,
    PromotionSource,
    SetupStep,
    SignIn,
    SignInContext,
    WorkflowStep,
    secret,
    var,
)
from mldeploy.config.environments import environment_key
from mldeploy.config.errors import ConfigError

DAYS = 90
"""So long a token for the cluster is asked to live."""


def sign_in(context: SignInContext) -> SignIn:
    """By files, which are where `kubectl` and `docker` have theirs.

    Raises ConfigError if no registry is named, and for previews without a namespace of their own.
    """
    context.require_isolation("namespace", f"{context.app}-previews")
    registry = context.setting("registry")
    if not registry:
        what = "is missing: the cluster has to pull the image from somewhere"
        todo = 'Name a registry and a path in mldeploy.toml: registry = "ghcr.io/my-team".'
        raise ConfigError("target.kubernetes.registry", what, todo)
    host = registry.partition("/")[0]
    steps = (_cluster(), _registry(host)) if context.system is CiSystem.GITHUB else (_by_variables(host),)
    renewed = (
        f"a cluster need not take {context.system.label}'s tokens, so KUBECONFIG_FILE is a long-lived secret: "
        f"renew it in {DAYS} days"
    )
    remarks: tuple[str, ...] = (
        renewed,
        "REGISTRY_PASSWORD is long-lived, too: the cluster pulls with it, long after the job has ended",
    )
    if context.is_preview:
        remarks += ("give the previews a REGISTRY_PASSWORD of their own: nothing here limits what it can push",)
    names = ("KUBECONFIG_FILE", "REGISTRY_PASSWORD")
    return SignIn(steps, tuple(_setup_steps(context)), ("REGISTRY_USERNAME",), names, remarks=remarks)


def _by_variables(host: str) -> WorkflowStep:
    """The same where variables are in the job's environment."""
    login = f'docker login {host} --username "$REGISTRY_USERNAME" --password-stdin'
    lines = (
        "umask 077",
        'printf "%s" "$KUBECONFIG_FILE" > "$RUNNER_TEMP/kubeconfig"',
        'export KUBECONFIG="$RUNNER_TEMP/kubeconfig"',
        f'printf "%s" "$REGISTRY_PASSWORD" | {login}',
    )
    return WorkflowStep("Sign in to the cluster and the registry", lines)


def _cluster() -> WorkflowStep:
    return WorkflowStep(
        "Sign in to the cluster",
        (
            "umask 077",
            'printf "%s" "$KUBECONFIG_FILE" > "$RUNNER_TEMP/kubeconfig"',
            'echo "KUBECONFIG=$RUNNER_TEMP/kubeconfig" >> "$GITHUB_ENV"',
        ),
        env=(("KUBECONFIG_FILE", secret("KUBECONFIG_FILE")),),
    )


def _registry(host: str) -> WorkflowStep:
    login = 'docker login "$REGISTRY" --username "$REGISTRY_USERNAME" --password-stdin'
    env = (
        ("REGISTRY", host),
        ("REGISTRY_USERNAME", var("REGISTRY_USERNAME")),
        ("REGISTRY_PASSWORD", secret("REGISTRY_PASSWORD")),
    )
    return WorkflowStep("Sign in to the registry", (f'printf "%s" "$REGISTRY_PASSWORD" | {login}',), env=env)


def _bind_source(kubectl: str, context: SignInContext, source: PromotionSource, whose: str) -> str:
    """Its role has been there since the source was set up."""
    key = environment_key(context.app, source.name)
    space = source.setting("namespace") or key
    return f"{kubectl} --namespace={space} create rolebinding {context.role} --role=mldeploy-{key} {whose}"


def _setup_steps(context: SignInContext) -> list[SetupStep]:
    space, account = context.setting("namespace") or context.key, context.role
    chosen = f" --context={context.setting('context')}" if context.setting("context") else ""
    kubectl = f"kubectl{chosen}"
    whose = f"--serviceaccount={space}:{account}"
    token = f"{kubectl} --namespace={space} create token {account} --duration={DAYS * 24}h"
    keep = context.secret("KUBECONFIG_FILE", piped=True)
    kubeconfig = f"{kubectl} config view --minify --flatten --raw --output=json"
    return [
        SetupStep(
            "make an account for the workflow, with what mldeploy needs and no more",
            (
                f"{kubectl} create namespace {space}",
                f"{context.command} | {kubectl} apply --filename -",
                f"{kubectl} --namespace={space} create serviceaccount {account}",
                f"{kubectl} --namespace={space} create rolebinding {account} --role=mldeploy-{context.key} {whose}",
                f"{kubectl} create clusterrolebinding {account} --clusterrole=mldeploy-{context.key} {whose}",
                *(_bind_source(kubectl, context, each, whose) for each in context.sources),
            ),
        ),
        SetupStep(
            "keep a kubeconfig with a token of that account's as a secret; the cluster may shorten its life",
            (
                f"export TOKEN=$({token})",
                f"{kubeconfig} | jq '.users[0].user = {{token: env.TOKEN}}' | {keep}",
            ),
        ),
        SetupStep(
            "say who the workflow is to the registry: a name and a password, each asked for (a line at a time)",
            (context.variable("REGISTRY_USERNAME"), context.secret("REGISTRY_PASSWORD")),
        ),
    ]
