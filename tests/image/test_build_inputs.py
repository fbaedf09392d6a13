"""What decides an image, and what does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme

from mldeploy.config.settings import LockExport
from mldeploy.image.build_inputs import BuildInputs, collect_build_inputs, list_base_references
from mldeploy.image.context import Text
from mldeploy.image.files import ContextFile
from mldeploy.image.types import BaseDigest
from mldeploy.project.errors import ProjectError
from tests.image.shop import FILES, project, write

BASE = BaseDigest((("python:3.11", "sha256:1"),))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "shop", FILES)
    return tmp_path / "shop"


def hashed(folder: Path, base: BaseDigest = BASE, **changes: Any) -> str:
    return collect_build_inputs(project(folder, **changes)).digest(base)


def paths(folder: Path, **changes: Any) -> set[str]:
    """What of the folder gets into the image."""
    members = collect_build_inputs(project(folder, **changes)).members
    return {
        each.path.partition("/app/")[2] for each in members if isinstance(each, ContextFile) and "/app/" in each.path
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"platform": "linux/riscv64"},
        {"args": (("A", "1"),)},
        {"base_image": "python:3.13"},
        {"app": {"port": 5001}},
        {"app": {"entry": "other:app"}},
        {"app": {"health": "/healthz"}},
        {"app": {"workers": 7}},
        {"app": {"threads": 7}},
        {"app": {"cpus": 3}},
        {"app": {"read_only": False}},
        {"app": {"models": ()}},
        {"app": {"name": "other"}},
    ],
)
def test_what_decides_an_image(folder: Path, changes: dict[str, Any]) -> None:
    assert hashed(folder, **changes) != hashed(folder)


def test_the_bases_content_decides_and_not_its_name_alone(folder: Path) -> None:
    assert hashed(folder, BaseDigest((("python:3.11", "sha256:2"),))) != hashed(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"app": {"memory": 1}},
        {"app": {"cpus": 0.5}},
        {"app": {"env": ()}},
        {"app": {"predict": "/elsewhere"}},
        {"ca_bundle": None},
    ],
)
def test_what_decides_how_it_runs_or_is_built_is_no_other_image(folder: Path, changes: dict[str, Any]) -> None:
    assert hashed(folder, **changes) == hashed(folder)


@pytest.mark.parametrize("name", ["mldeploy.toml", ".git/HEAD", ".env", "__pycache__/a.pyc", ".venv/x", ".DS_Store"])
def test_what_usually_stays_out(folder: Path, name: str) -> None:
    before = hashed(folder)
    write(folder, {name: "[app]\n"})
    assert hashed(folder) == before
    assert name not in paths(folder)


def test_a_virtual_environment_of_any_name_stays_out(folder: Path) -> None:
    write(folder, {"my-env/pyvenv.cfg": "", "my-env/bin/python": "", "env/environment.py": ""})
    assert paths(folder) == {"app.py", "model.bin", "requirements.txt", "env", "env/environment.py"}


def test_the_users_dockerignore_decides_alone(folder: Path) -> None:
    write(folder, {".dockerignore": "*.txt\n", ".env": "", ".git/HEAD": "", "notes.txt": ""})
    assert paths(folder) == {"app.py", "model.bin", ".dockerignore", ".env", ".git", ".git/HEAD"}


def test_the_file_of_the_containers_secrets_never_gets_in(folder: Path) -> None:
    write(folder, {"secrets.conf": "TOKEN=1", ".dockerignore": ""})
    assert "secrets.conf" in paths(folder)
    assert "secrets.conf" not in paths(folder, app={"env_file": folder / "secrets.conf"})
    write(folder, {"Dockerfile": "FROM scratch"})
    own = collect_build_inputs(project(folder, app={"env_file": folder / "secrets.conf"}, dockerfile="Dockerfile"))
    assert "secrets.conf" not in [each.path for each in own.members]


def test_models_and_code_are_apart(folder: Path) -> None:
    write(folder, {"models/a.bin": "", "models/b/c.bin": "", "models/readme.md": ""})
    given = project(folder, app={"models": ("model.bin", "models/b")})
    result = [each.path for each in collect_build_inputs(given).members if isinstance(each, ContextFile)]
    assert {path for path in result if path.startswith("model/")} == {
        "model/app/model.bin",
        "model/app/models/b",
        "model/app/models/b/c.bin",
    }
    assert {path for path in result if path.startswith("code/")} == {"code/app/app.py"}
    assert "assets/app/models/a.bin" in result
    assert not [path for path in result if path.startswith("assets/") and path.endswith(("model.bin", "c.bin"))]


def test_a_link_to_a_model_elsewhere_brings_the_model(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "big.bin").write_text("weights")
    (folder / "model.bin").unlink()
    (folder / "model.bin").symlink_to(tmp_path / "big.bin")
    before = hashed(folder)
    (model,) = [each for each in collect_build_inputs(project(folder)).members if each.path == "model/app/model.bin"]
    assert isinstance(model, ContextFile)
    assert b"".join(model.chunks()) == b"weights"
    (tmp_path / "big.bin").write_text("WEIGHTS")
    assert hashed(folder) != before


def drop(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


@pytest.mark.parametrize(
    ("change", "changes", "where", "what"),
    [
        (drop("model.bin"), {"app": {"models": ("model.bin",)}}, "model.bin", "there is no such model file"),
        (lambda folder: write(folder, {".dockerignore": "*.bin"}), {}, "model.bin", "excludes it"),
        (drop("requirements.txt"), {}, "build.requirements", "requirements.txt does not exist"),
        (drop("app.py"), {"dockerfile": "Dockerfile"}, "build.dockerfile", "does not exist"),
        (lambda folder: write(folder, {".dockerignore": "["}), {}, ".dockerignore:1", "not a pattern"),
        (drop("app.py"), {"ca_bundle": Path("/nowhere.pem")}, "build.ca_bundle", "there is no file"),
    ],
)
def test_what_is_missing_or_contradictory_is_named(
    folder: Path, change: Callable[[Path], None], changes: dict[str, Any], where: str, what: str
) -> None:
    given = project(folder, **changes)
    change(folder)
    with pytest.raises(ProjectError, match=what) as caught:
        collect_build_inputs(given)
    assert caught.value.where.endswith(where)
    assert caught.value.todo


def test_a_dockerfile_of_the_users_own_decides_with_everything_around_it(folder: Path) -> None:
    write(folder, {"Dockerfile": "FROM python:3.13\n", "mldeploy.toml": ""})
    given = project(folder, dockerfile="Dockerfile")
    assert list_base_references(given) == ("python:3.13",)
    before = collect_build_inputs(given).digest(BASE)
    write(folder, {"Dockerfile": "FROM python:3.13\nRUN true\n"})
    edited = collect_build_inputs(given).digest(BASE)
    write(folder, {"notes.md": ""})
    assert len({before, edited, collect_build_inputs(given).digest(BASE)}) == 3
    unused = replace(given, app=replace(given.app, workers=9, models=("nothing.bin",)))
    assert collect_build_inputs(unused).digest(BASE) == collect_build_inputs(given).digest(BASE)


def own(folder: Path, **changes: Any) -> set[str]:
    """What the engine is sent for a Dockerfile of the user's own."""
    return {each.path for each in collect_build_inputs(project(folder, dockerfile="Dockerfile", **changes)).members}


def test_an_edit_of_the_settings_is_no_other_image_with_a_dockerfile_of_the_users_own(folder: Path) -> None:
    write(folder, {"Dockerfile": "FROM python\nCOPY . /app\n", "mldeploy.toml": "[app]\nmodels = []\n"})
    before = hashed(folder, dockerfile="Dockerfile")
    write(folder, {"mldeploy.toml": "[app]\nmodels = []\nport = 9000\n"})
    assert hashed(folder, dockerfile="Dockerfile") == before
    assert "mldeploy.toml" not in own(folder)


def test_a_dockerfile_that_names_the_settings_gets_them(folder: Path) -> None:
    write(folder, {"Dockerfile": "FROM python\nCOPY mldeploy.toml /etc/\n", "mldeploy.toml": "[app]\nmodels = []\n"})
    before = hashed(folder, dockerfile="Dockerfile")
    assert "mldeploy.toml" in own(folder)
    write(folder, {"mldeploy.toml": "[app]\nmodels = []\nport = 9000\n"})
    assert hashed(folder, dockerfile="Dockerfile") != before


@pytest.mark.parametrize("copy", ["certificates.pem", "certificates.pe[m] app.py"])
def test_a_dockerfile_that_asks_for_certificates_gets_those_of_the_machine(
    folder: Path, tmp_path: Path, copy: str
) -> None:
    write(tmp_path, {"ca.pem": trustme.CA().cert_pem.bytes().decode()})
    write(folder, {"Dockerfile": f"FROM python\nCOPY {copy} /build/\n"})
    assert "certificates.pem" in own(folder, ca_bundle=tmp_path / "ca.pem")
    assert "certificates.pem" not in own(folder, ca_bundle=None)
    trusting = hashed(folder, dockerfile="Dockerfile", ca_bundle=tmp_path / "ca.pem")
    assert trusting == hashed(folder, dockerfile="Dockerfile", ca_bundle=None)
    write(folder, {"Dockerfile": "FROM python\nCOPY . /build/\n"})
    assert "certificates.pem" not in own(folder, ca_bundle=tmp_path / "ca.pem")


def test_dependencies_that_stand_elsewhere_are_installed_and_decide_the_image(folder: Path) -> None:
    (folder / "requirements.txt").unlink()
    members = collect_build_inputs(project(folder, requirements_text="flask==3.1.3\n")).members
    assert "builder/requirements/requirements.txt" in {each.path for each in members}
    assert hashed(folder, requirements_text="a==1\n") != hashed(folder, requirements_text="a==2\n")


def test_what_would_be_ignored_stays_out_where_the_folder_has_no_dockerignore(folder: Path) -> None:
    write(folder, {"notes.ipynb": "{}"})
    assert "notes.ipynb" in paths(folder)
    assert "notes.ipynb" not in paths(folder, ignored=("**/*.ipynb",))


def locked(folder: Path, text: str, **build: Any) -> BuildInputs:
    (folder / "requirements.txt").unlink()
    write(folder, {"back/uv.lock": "", "back/pyproject.toml": ""})
    lock = LockExport("back/uv.lock", ("back/uv.lock", "back/pyproject.toml"), ("--package=api",))
    given = {"requirements": "back/uv.lock", "requirements_text": text, "lock": lock, **build}
    return collect_build_inputs(project(folder, **given))


def test_uv_exports_its_lock_in_the_build(folder: Path) -> None:
    inputs = locked(folder, "--index-url https://example.com/simple\nflask==3.1.3\n")
    paths = {each.path.removeprefix("builder/requirements/") for each in inputs.members}
    assert {"back/uv.lock", "back/pyproject.toml", "indexes.txt"} <= paths
    assert inputs.recipe is not None
    assert {"--frozen", "--directory=back", "--package=api"} <= set(inputs.recipe.export.split())
    options = next(each for each in inputs.members if each.path.endswith("/indexes.txt"))
    assert isinstance(options, Text)
    assert options.content == b"--index-url https://example.com/simple\n"


def test_a_lock_with_pytorch_is_installed_for_the_processor_as_mldeploy_reads_it(folder: Path) -> None:
    recipe = locked(folder, "torch==2.6.0\n").recipe
    assert recipe is not None
    assert (recipe.export, recipe.requirements) == ("", "uv.lock.txt")


def test_a_list_in_another_encoding_is_sent_as_utf8(folder: Path) -> None:
    (folder / "requirements.txt").write_bytes("-r base.txt\r\n".encode("utf-16"))
    (folder / "base.txt").write_bytes("torch==2.3.0+cu121\n".encode("utf-16"))
    inputs = collect_build_inputs(project(folder))
    sent = {each.path: each.content for each in inputs.members if isinstance(each, Text)}
    assert sent["builder/requirements/requirements.txt"] == b"-r base.txt\r\n"
    assert sent["builder/requirements/base.txt"] == b"torch==2.3.0+cu121\n"
    assert inputs.recipe is not None
    assert not inputs.recipe.torch_backend
