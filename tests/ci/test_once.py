"""What remains to be done once, as bash runs it, with stand-ins for the clouds' own programs."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.ci.programs import Programs
from tests.ci.repo import Repo
from tests.ci.targets import TARGETS

ROLES = {"roles": [{"Name": name, "AssignableScopes": [scope]} for name, scope in (
    ("mldeploy insurance, in the subscription", "/subscriptions/1"),
    ("mldeploy insurance, in its resource group", "/subscriptions/1/resourceGroups/insurance"),
)]}  # fmt: skip
IDENTITY = "octo@42/insurance@77"
SUBJECTS = {f"repo:{name}:environment:insurance-{{}}" for name in ("octo/insurance", IDENTITY)}
KEEP = 'while (($#)); do [[ $1 = {} ]] && printf "%s\\n" "$2" >> "$(dirname "$0")/../trust"; shift; done'
ANSWERS = {
    "gh": f'case "$*" in *--jq*) echo {IDENTITY};; *"secret set"*) cat > /dev/null;; esac',
    "aws": 'case "$*" in *get-caller-identity*) echo 123456789012;; *"get region"*) echo eu-west-1;; esac\n'
    + KEEP.format("--assume-role-policy-document"),
    "az": 'case "$*" in *"ad app create"*) echo app-id;; *"account show"*"tenantId"*) echo tenant;; '
    '*"account show"*) echo sub;; *"config get"*) echo westeurope;; esac\n' + KEEP.format("--parameters"),
    "gcloud": 'case "$*" in *"get-value project"*) echo my-project;; *projectNumber*) echo 99;; '
    "*compute/region*) echo us-central1;; esac",
    "kubectl": 'case "$*" in *"create token"*) echo short-lived;; *"apply"*) cat > /dev/null;; '
    """*"config view"*) echo '{"users": [{"name": "me", "user": {"client-key-data": "mine"}}]}';; esac""",
}


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    made = Programs(tmp_path / "bin")
    for name, body in ANSWERS.items():
        made.add(name, body)
    policy = {**ROLES, "includedPermissions": ["a.b.get", "a.b.list"], "Version": "2012-10-17"}
    made.add("mldeploy", f"echo '{json.dumps(policy)}'")
    return made


def done(repo: Repo, target: str, programs: Programs) -> Programs:
    """Everything that remains to be done, in one shell that stops at the first failure."""
    script = "\n".join(line for each in repo.plan(target).once for line in each.commands)
    env = {**os.environ, "PATH": f"{programs.folder}:{os.environ['PATH']}"}
    command = ["bash", "-euo", "pipefail", "-c", script]
    ran = subprocess.run(command, cwd=repo.folder, env=env, input="", capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, ""), script
    return programs


@pytest.mark.parametrize("target", TARGETS)
def test_everything_that_the_workflow_reads_is_set(target: str, repo: Repo, programs: Programs) -> None:
    before = sorted(repo.folder.iterdir())
    did, plan = done(repo, target, programs), repo.plan(target)
    where = f"--repo octo/insurance --env insurance-{target}"
    for kind, names in (("variable", plan.variables), ("secret", plan.secrets)):
        assert [call.split()[3] for call in did.of("gh", kind, "set")] == list(names)
        assert all(where in call for call in did.of("gh", kind, "set"))
    assert not any("--body ''" in call for call in did.calls), "a variable of nothing"
    assert "name=main" in did.of("gh api --method POST")[0]
    assert sorted(repo.folder.iterdir()) == before, "nothing is left where the next image would take it in"
    used = repo.text(target)
    assert all(f"${{{{ vars.{name} }}}}" in used for name in plan.variables)
    assert all(f"${{{{ secrets.{name} }}}}" in used for name in plan.secrets)


@pytest.mark.parametrize("target", ["ecr", "fargate"])
def test_a_role_of_aws_trusts_this_environment_alone(target: str, repo: Repo, programs: Programs) -> None:
    did = done(repo, target, programs)
    (statement,) = json.loads((did.folder.parent / "trust").read_text())["Statement"]
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    issuer = "token.actions.githubusercontent.com"
    assert statement["Principal"] == {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{issuer}"}
    condition = statement["Condition"]["StringEquals"]
    assert condition.pop(f"{issuer}:aud") == "sts.amazonaws.com"
    assert set(condition.pop(f"{issuer}:sub")) == {each.format(target) for each in SUBJECTS}
    assert (condition, list(statement["Condition"])) == ({}, ["StringEquals"])
    assert "arn:aws:iam::123456789012:role/mldeploy-ci-insurance" in did.of("gh variable set AWS_ROLE_ARN")[0]
    assert f"mldeploy policy --target {target} --part all" in did.calls


def test_an_app_of_azure_trusts_this_environment_alone_and_gets_both_roles(repo: Repo, programs: Programs) -> None:
    did = done(repo, "webapp", programs)
    parameters = [json.loads(line) for line in (did.folder.parent / "trust").read_text().splitlines()]
    assert {each["subject"] for each in parameters} == {each.format("webapp") for each in SUBJECTS}
    assert all(each["audiences"] == ["api://AzureADTokenExchange"] for each in parameters)
    scopes = [call.rpartition(" ")[2] for call in did.of("az role assignment create")]
    assert scopes == ["/subscriptions/1", "/subscriptions/1/resourceGroups/insurance"]
    assert "--name insurance " in did.of("az group create")[0]


def test_google_trusts_this_repository_branch_and_environment_alone(repo: Repo, programs: Programs) -> None:
    did = done(repo, "gke", programs)
    (provider,) = did.of("gcloud iam workload-identity-pools providers create-oidc")
    condition = provider.partition("--attribute-condition=")[2].replace("\\", "")
    assert condition == (
        "assertion.repository=='octo/insurance' && assertion.ref=='refs/heads/main' && "
        "assertion.environment=='insurance-gke'"
    )
    pool = "projects/99/locations/global/workloadIdentityPools/ci-insurance"
    assert f"{pool}/providers/github" in did.of("gh variable set GCP_WORKLOAD_IDENTITY_PROVIDER")[0]
    assert f"{pool}/attribute.repository/octo/insurance" in did.of("gcloud iam service-accounts add-iam")[0]
    assert "--permissions=a.b.get\\,a.b.list" in did.of("gcloud iam roles create ci_insurance")[0]


def test_a_cluster_s_secret_is_that_of_an_account_made_for_it(repo: Repo, programs: Programs) -> None:
    did = done(repo, "kubernetes", programs)
    assert "short-lived" not in "".join(did.calls), "a secret in the list of processes"
    assert "--serviceaccount=insurance:mldeploy-ci-insurance" in did.of("kubectl create clusterrolebinding")[0]


def test_the_kubeconfig_holds_its_token_and_not_yours(repo: Repo, programs: Programs) -> None:
    programs.add("gh", 'case "$*" in *"set KUBECONFIG_FILE"*) cat > "$(dirname "$0")/../secret";; esac')
    kept = json.loads((done(repo, "kubernetes", programs).folder.parent / "secret").read_text())
    assert kept == {"users": [{"name": "me", "user": {"token": "short-lived"}}]}


def test_names_that_google_would_not_have_are_cut(repo: Repo, programs: Programs) -> None:
    repo.put("mldeploy.toml", '[app]\nname = "a-model-with-a-very-long-name-of-its-own"\nmodels = []\n')
    (made,) = done(repo, "gar", programs).of("gcloud iam service-accounts create")
    assert made.split()[4] == "ci-a-model-with-a-very-long-na"
