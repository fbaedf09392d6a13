"""What a project's settings are, and which of several places that set one wins."""

from __future__ import annotations

from pathlib import Path

import pytest

from mldeploy.config.errors import ConfigError
from mldeploy.config.load import load, named, target_settings
from mldeploy.config.override import Override
from mldeploy.config.secret import Secret
from mldeploy.config.target import TargetSettings


class Cloud(TargetSettings):
    """A target with one field of each kind that providers use."""

    region: str = "north-1"
    nodes: int = 2
    public: bool = False
    zones: tuple[str, ...] = ()
    key_file: Path | None = None


def write(folder: Path, text: str, name: str = "mldeploy.toml") -> Path:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return folder


def test_a_folder_without_configuration_gets_the_defaults(tmp_path: Path) -> None:
    folder = tmp_path / "My Insurance_App"
    folder.mkdir()
    project = load(folder)
    assert project.app.name == "my-insurance-app"
    assert project.app.folder == folder.resolve()
    assert (project.app.entry, project.app.port, project.app.health) == ("app:app", 5000, "/health")
    assert (project.app.memory, project.app.cpus, project.app.read_only) == (1 << 30, 1.0, True)
    assert (project.app.env, project.app.env_file, project.check.golden) == ((), None, None)
    assert project.build.base_image == "python:3.11-slim-bookworm"
    assert project.build.platform.startswith("linux/")


def test_every_key_reaches_the_settings(tmp_path: Path) -> None:
    write(
        tmp_path,
        """
        [app]
        name = "charges"
        entry = "web.main:application"
        port = 8080
        health = "/up"
        predict = "/one"
        predict_table = "/many"
        models = ["./m/a.joblib", "b.pkl", "b.pkl"]
        memory = "512m"
        cpus = 2
        workers = 3
        threads = 4
        read_only = false
        env = { B = "2", A = "1" }
        [build]
        base_image = "registry.example:5000/team/python:3.12@sha256:%s"
        platform = "linux/arm64"
        requirements = "deploy/requirements.txt"
        dockerfile = "Dockerfile"
        args = { REVISION = "7" }
        ca_bundle = "ca.pem"
        [check]
        golden = "golden.json"
        start_timeout = 12.5
        """
        % ("a" * 64),
    )
    project = load(tmp_path)
    app, build = project.app, project.build
    assert (app.name, app.entry, app.port) == ("charges", "web.main:application", 8080)
    assert (app.health, app.predict, app.predict_table) == ("/up", "/one", "/many")
    assert app.models == ("m/a.joblib", "b.pkl")
    assert (app.memory, app.cpus, app.workers, app.threads, app.read_only) == (512 << 20, 2.0, 3, 4, False)
    assert app.env == (("A", Secret("1")), ("B", Secret("2")))
    assert build.base_image.startswith("registry.example:5000/team/python:3.12@sha256:aaa")
    assert (build.platform, build.requirements) == ("linux/arm64", "deploy/requirements.txt")
    assert (build.dockerfile, build.args) == ("Dockerfile", (("REVISION", "7"),))
    assert build.ca_bundle == tmp_path.resolve() / "ca.pem"
    assert project.check.golden == tmp_path.resolve() / "golden.json"
    assert project.check.start_timeout == 12.5


def test_pyproject_holds_the_same_tables(tmp_path: Path) -> None:
    write(tmp_path, '[project]\nname = "x"\n[tool.mldeploy.app]\nport = 7000\n', "pyproject.toml")
    assert load(tmp_path).app.port == 7000


def test_a_pyproject_that_says_nothing_of_mldeploy_is_not_even_parsed(tmp_path: Path) -> None:
    write(tmp_path, "this is [ no toml", "pyproject.toml")
    assert load(write(tmp_path, "[app]\nport = 7000\n")).app.port == 7000


def test_two_files_of_a_project_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "[tool.mldeploy.app]\nport = 7000\n", "pyproject.toml")
    write(tmp_path, "")
    with pytest.raises(ConfigError, match=r"pyproject\.toml: tool\.mldeploy: there is also an mldeploy\.toml"):
        load(tmp_path)


def test_flag_beats_variable_beats_project_beats_machine_beats_default(
    tmp_path: Path, bare_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def base_image(*overrides: Override) -> str:
        return load(tmp_path, overrides).build.base_image

    assert base_image() == "python:3.11-slim-bookworm"
    write(bare_machine, '[build]\nbase_image = "machine"\n', "config.toml")
    assert base_image() == "machine"
    write(tmp_path, '[build]\nbase_image = "project"\n')
    assert base_image() == "project"
    monkeypatch.setenv("MLDEPLOY_BUILD_BASE_IMAGE", "variable")
    assert base_image() == "variable"
    assert base_image(Override("build.base_image", "flag", "--base-image")) == "flag"


def test_variables_are_read_as_the_type_of_their_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in {"PORT": "8080", "CPUS": "0.5", "READ_ONLY": "false", "NAME": "x", "MEMORY": "64m"}.items():
        monkeypatch.setenv(f"MLDEPLOY_APP_{name}", text)
    app = load(tmp_path).app
    assert (app.port, app.cpus, app.read_only, app.name, app.memory) == (8080, 0.5, False, "x", 64 << 20)


def test_a_variable_that_is_set_to_nothing_is_not_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLDEPLOY_APP_PORT", "")
    assert load(tmp_path).app.port == 5000


def test_flags_can_add_single_entries_of_a_table(tmp_path: Path) -> None:
    write(tmp_path, '[app.env]\nA = "file"\nB = "file"\n')
    flags = [Override("app.env.B", "flag", "--env"), Override("app.env.LOG.LEVEL", "x", "--env")]
    assert load(tmp_path, flags).app.env == (("A", Secret("file")), ("B", Secret("flag")), ("LOG.LEVEL", Secret("x")))


def test_the_env_file_yields_to_env(tmp_path: Path) -> None:
    write(tmp_path, "A=file\nB=file\n", "app.env")
    write(tmp_path, '[app]\nenv_file = "app.env"\nenv = { B = "table" }\n')
    app = load(tmp_path).app
    assert app.env == (("A", Secret("file")), ("B", Secret("table")))
    assert app.env_file == tmp_path.resolve() / "app.env"


def test_a_tilde_is_the_users_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    write(tmp_path, '[build]\nca_bundle = "~/ca.pem"\n')
    assert load(tmp_path).build.ca_bundle == tmp_path / "home" / "ca.pem"


def test_an_empty_dockerfile_key_asks_for_the_recipe(tmp_path: Path) -> None:
    assert load(write(tmp_path, '[build]\ndockerfile = ""\n')).build.dockerfile is None


def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "mldeploy.toml").write_bytes(b"\xef\xbb\xbf[app]\nport = 7000\n")
    assert load(tmp_path).app.port == 7000


def test_a_targets_table_is_checked_by_its_provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, '[target.cloud]\nregion = "south"\nzones = ["a", "b"]\nkey_file = "k.json"\nnodes = 3\n')
    monkeypatch.setenv("MLDEPLOY_TARGET_CLOUD_NODES", "4")
    flags = [Override("target.cloud.public", value=True, flag="--public"), Override("app.port", 1, "--port")]
    settings = target_settings(tmp_path, "cloud", Cloud, flags)
    assert settings == Cloud(region="south", nodes=4, public=True, zones=("a", "b"), key_file=Path("k.json"))
    assert load(tmp_path, flags).app.port == 1


def test_an_unwritten_target_has_its_defaults_and_other_targets_do_not_matter(tmp_path: Path) -> None:
    write(tmp_path, "[target.elsewhere]\nanything = [1, { x = 2 }]\n")
    assert target_settings(tmp_path, "cloud", Cloud) == Cloud()


def test_a_folder_can_be_named_by_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = tmp_path / "shop" / "inner"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    assert load(Path("..")).app.name == "shop"


def test_an_app_can_be_meant_by_its_name_alone() -> None:
    assert named("insurance", "--app").app.name == "insurance"
    with pytest.raises(ConfigError, match=r"^--app: must be a DNS label"):
        named("In surance", "--app")
