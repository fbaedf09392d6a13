"""`mldeploy ci github` as it is typed: what it writes, what it says, what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.ci.repo import NAME, Repo, app, parsed
from tests.cli.command import Command

FILE = ".github/workflows/mldeploy.yml"
CI = ("ci", "github", "--target", "fargate")

Typed = Callable[[Repo], Command]


@pytest.fixture
def typed(tmp_path: Path) -> Typed:
    return lambda repo: Command(tmp_path / "home", repo.folder)


def test_it_is_written_once_and_then_found_unchanged(repo: Repo, typed: Typed) -> None:
    first = typed(repo)(*CI)
    assert first.code == 0, first.err
    assert first.out.startswith(f"written {repo.root / FILE}\n")
    text = (repo.root / FILE).read_bytes()
    again = typed(repo)(*CI)
    assert again.out.startswith(f"unchanged {repo.root / FILE}\n")
    assert (repo.root / FILE).read_bytes() == text


def test_another_one_is_never_replaced_without_force_and_it_is_told_whose_it_is(repo: Repo, typed: Typed) -> None:
    mldeploy, path = typed(repo), repo.root / FILE
    assert mldeploy(*CI).code == 0
    ours = path.read_text()
    for text, message in (
        (ours + "# mine\n", "edited after mldeploy wrote it"),
        ("name: mine\n", "not written by mldeploy"),
    ):
        path.write_text(text)
        refused = mldeploy(*CI)
        assert refused.code == 9
        assert message in refused.err
        assert path.read_text() == text
    path.write_text(ours)
    other = mldeploy("ci", "github", "--target", "gke")
    assert other.code == 9
    assert "for another target" in other.err
    assert mldeploy("ci", "github", "--target", "gke", "--force").out.startswith("replaced ")
    assert "google-github-actions" in path.read_text()
    assert sorted(each.name for each in path.parent.iterdir()) == ["mldeploy.yml"]


def test_it_can_be_looked_at_first(repo: Repo, typed: Typed) -> None:
    shown = typed(repo)(*CI, "--stdout")
    assert shown.out == repo.text()
    assert not (repo.root / ".github").exists()
    document = typed(repo)(*CI, "--stdout", "--json").document
    assert (document["state"], document["text"]) == ("printed", shown.out)


def test_all_of_it_is_in_the_document(repo: Repo, typed: Typed) -> None:
    repo.put("test_app.py", "def test_it(): ...\n")
    document = typed(repo)(*CI, "--branch", "release/1", "--json").document
    assert document["repository"] == NAME
    assert document["file"] == str(repo.root / FILE)
    assert (document["branch"], document["environment"]) == ("release/1", "insurance-fargate")
    assert document["test"] == "python -m pytest"
    assert document["variables"] == ["AWS_ROLE_ARN", "AWS_REGION"]
    assert any("current branch is main" in each for each in json.loads(json.dumps(document["remarks"])))
    workflow = parsed((repo.root / FILE).read_text())
    assert workflow["on"]["push"]["branches"] == ["release/1"]


def test_what_remains_to_be_done_is_printed_as_it_is_to_be_typed(repo: Repo, typed: Typed) -> None:
    out = typed(repo)(*CI).out
    for line in (
        "gh variable set AWS_ROLE_ARN --repo octo/insurance --env insurance-fargate",
        "aws iam create-role --role-name mldeploy-ci-insurance",
        '"repo:octo/insurance:environment:insurance-fargate"',
        "mldeploy policy --target fargate",
    ):
        assert line in out


def test_on_a_terminal_what_is_to_be_copied_is_not_broken_into_lines(repo: Repo, typed: Typed) -> None:
    with typed(repo).on_terminal(*CI, columns=60) as terminal:
        assert terminal.end() == 0
        command = "gh variable set AWS_ROLE_ARN --repo octo/insurance --env insurance-fargate --body"
        assert command in terminal.text


def test_an_app_in_a_folder_of_the_repository(tmp_path: Path, typed: Typed) -> None:
    repo = app(tmp_path / "mono", "models/insurance [v2]")
    done = typed(repo)(*CI)
    assert done.code == 0, done.err
    (path,) = (repo.root / FILE).parent.iterdir()
    assert path.name.startswith("mldeploy-insurance")
    workflow = parsed(path.read_text())
    assert not (repo.folder / ".github").exists()
    for job in workflow["jobs"].values():
        assert job["defaults"]["run"] == {"shell": "bash", "working-directory": "models/insurance [v2]"}
    paths = ["models/insurance \\[v2\\]/**", path.relative_to(repo.root).as_posix()]
    assert (workflow["on"]["push"]["paths"], workflow["on"]["pull_request"]["paths"]) == (paths, paths)


def test_a_folder_in_no_repository(tmp_path: Path, typed: Typed) -> None:
    repo = app(tmp_path / "mono")
    (repo.root / ".git").rename(tmp_path / "elsewhere")
    done = typed(repo)(*CI)
    assert done.code == 0, done.err
    assert "is not in a git repository" in done.out
    assert (repo.folder / FILE).is_file()


def test_a_repository_that_is_nowhere_yet(repo: Repo, typed: Typed) -> None:
    repo.git("remote", "remove", "origin")
    out = typed(repo)(*CI).out
    assert "replace OWNER/NAME with the name of the repository" in out
    assert "--repo OWNER/NAME" in out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("ci", "github"), 2, "cannot deploy to `local` from CI"),
        (("ci", "github", "--target", "ecr", "--branch", "x' || true || '"), 2, "is not a valid branch name"),
        (("-C", "/nowhere", "ci", "github", "--target", "ecr"), 4, "there is no such folder"),
        *(
            pytest.param(*case, marks=pytest.mark.exhaustive)
            for case in (
                (("ci", "github", "--target", "fargat"), 2, "did you mean 'fargate'"),
                (("ci", "circleci", "--target", "fargate"), 2, "github"),
                (("ci", "github", "--target", "ecr", "--branch", "a b"), 2, "is not a valid branch name"),
                (
                    ("ci", "github", "--target", "ecr", "--branch", "${{ github.token }}"),
                    2,
                    "is not a valid branch name",
                ),
            )
        ),
    ],
)
def test_what_cannot_be_is_said(repo: Repo, typed: Typed, words: tuple[str, ...], code: int, message: str) -> None:
    done = typed(repo)(*words)
    assert done.code == code
    assert message in done.err
    assert "Traceback" not in done.err
    assert not (repo.root / ".github").exists()


def test_a_folder_that_no_image_can_be_built_of(repo: Repo, typed: Typed) -> None:
    repo.put("mldeploy.toml", '[app]\nname = "x"\nentry = "nothing:app"\nmodels = []\n')
    done = typed(repo)(*CI)
    assert done.code == 4
    assert "app.entry" in done.err


def test_what_is_in_the_way_of_the_file(repo: Repo, typed: Typed) -> None:
    (repo.root / ".github").write_text("")
    done = typed(repo)(*CI)
    assert done.code == 4
    assert ".github" in done.err
    (repo.root / ".github").unlink()
    (repo.root / FILE).mkdir(parents=True)
    done = typed(repo)(*CI)
    assert done.code == 4
    assert "is there and cannot be read" in done.err
