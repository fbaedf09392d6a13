"""The lines by which a workflow signs in to a cluster and its registry, as bash runs them."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

from tests.ci.programs import Programs
from tests.ci.repo import Repo, Workflow

KUBECONFIG = 'users:\n- name: "me"\n  user: {token: $HOME `id` "x"}\n'


def steps(repo: Repo) -> list[Workflow]:
    job = repo.workflow("kubernetes")["jobs"]["deploy"]
    return [step for step in job["steps"] if step["name"].startswith("Sign in")]


def test_the_kubeconfig_is_a_file_that_nobody_else_reads_just_as_it_was_kept(repo: Repo, tmp_path: Path) -> None:
    cluster, _ = steps(repo)
    assert cluster["env"] == {"KUBECONFIG_FILE": "${{ secrets.KUBECONFIG_FILE }}"}
    later = tmp_path / "env"
    given = {"KUBECONFIG_FILE": KUBECONFIG, "RUNNER_TEMP": str(tmp_path), "GITHUB_ENV": str(later)}
    subprocess.run(["bash", "-eo", "pipefail", "-c", cluster["run"]], env={**os.environ, **given}, check=True)
    written = Path(later.read_text().strip().removeprefix("KUBECONFIG="))
    assert written.read_text() == KUBECONFIG
    assert stat.S_IMODE(written.stat().st_mode) == 0o600


def test_the_registry_s_password_is_no_argument(repo: Repo, tmp_path: Path) -> None:
    _, registry = steps(repo)
    assert registry["env"]["REGISTRY"] == "ghcr.io"
    programs = Programs(tmp_path / "bin")
    programs.add("docker", f"cat > {tmp_path}/typed")
    given = {"REGISTRY": "ghcr.io", "REGISTRY_USERNAME": "me", "REGISTRY_PASSWORD": "pass word %s $x"}
    env = {**os.environ, **given, "PATH": f"{programs.folder}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-eo", "pipefail", "-c", registry["run"]], env=env, check=True)
    assert programs.calls == ["docker login ghcr.io --username me --password-stdin"]
    assert (tmp_path / "typed").read_text() == "pass word %s $x"
