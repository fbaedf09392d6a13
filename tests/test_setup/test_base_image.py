"""Where the base image comes from, and what becomes of the user's own settings."""

import io
import os
import socket
import subprocess
import sys
import tarfile
import threading
import tomllib
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker import APIClient
from docker.errors import ImageNotFound

from scripts.base_image import OFFICIAL, OWN, ca_bundle, choose, ensure, load, make, present, pull
from scripts.base_rootfs import sources_list
from scripts.machine import Machine

USER_FILE = """\
# mine
[build] # how
args = { A = "1" } # kept
base_image = "registry.example/python:3.11"

[target.local]
port = 9000
"""


def test_a_machine_without_any_settings_gets_a_file_and_is_told_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "new" / "config.toml"
    choose(config, OWN, "/etc/company.pem")
    assert tomllib.loads(config.read_text()) == {"build": {"base_image": OWN, "ca_bundle": "/etc/company.pem"}}
    said = capsys.readouterr().err
    assert str(config) in said
    assert OWN in said


def test_what_the_user_has_set_stays_to_the_letter(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "config.toml"
    config.write_text(USER_FILE)
    choose(config, OWN, None)
    assert config.read_text() == USER_FILE
    assert capsys.readouterr().err == ""


def test_what_is_missing_is_added_among_the_users_own_comments_and_tables(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(USER_FILE)
    choose(config, OWN, "/etc/company.pem")
    text = config.read_text()
    before, after = tomllib.loads(USER_FILE), tomllib.loads(text)
    assert after == {**before, "build": {**before["build"], "ca_bundle": "/etc/company.pem"}}
    assert all(line in text for line in USER_FILE.splitlines())


def test_a_linked_settings_file_stays_a_link_and_keeps_its_mode(tmp_path: Path) -> None:
    dotfile = tmp_path / "dotfiles.toml"
    dotfile.write_text("")
    dotfile.chmod(0o640)
    config = tmp_path / "config.toml"
    config.symlink_to(dotfile)
    choose(config, OWN, None)
    assert config.is_symlink()
    assert tomllib.loads(dotfile.read_text()) == {"build": {"base_image": OWN}}
    assert dotfile.stat().st_mode & 0o777 == 0o640
    assert sorted(tmp_path.iterdir()) == [config, dotfile], "nothing half-written is left"


@pytest.mark.parametrize("broken", [b"[build", b"build = 3", b"\xff"])
def test_a_settings_file_that_is_broken_is_named_and_left_alone(tmp_path: Path, broken: bytes) -> None:
    config = tmp_path / "mldeploy" / "config.toml"
    config.parent.mkdir()
    config.write_bytes(broken)
    ended = subprocess.run(
        [sys.executable, "-m", "scripts.base_image"],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "XDG_CONFIG_HOME": str(tmp_path)},
    )
    assert ended.returncode == 1
    assert str(config) in ended.stderr
    assert "Traceback" not in ended.stderr
    assert config.read_bytes() == broken


def test_certificates_are_chosen_only_where_the_machine_names_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT"):
        monkeypatch.delenv(name, raising=False)
    assert ca_bundle() is None
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "gone.pem"))
    assert ca_bundle() is None
    bundle = tmp_path / "company.pem"
    bundle.touch()
    monkeypatch.setenv("PIP_CERT", str(bundle))
    assert ca_bundle() == str(bundle)


def test_the_image_takes_its_packages_from_the_mirrors_that_the_machine_uses() -> None:
    assert sources_list("Debian\thttp://mirror.example/debian/\nDebian-Security\thttp://mirror.example/sec/\n") == (
        "deb http://mirror.example/debian/ bookworm main\n"
        "deb http://mirror.example/debian/ bookworm-updates main\n"
        "deb http://mirror.example/sec/ bookworm-security main\n"
    )
    assert "security" not in sources_list("Debian\thttp://mirror.example/debian/\nOther\thttp://other.example/\n")


def test_a_machine_with_the_packages_of_another_distribution_is_told_what_else_it_can_do() -> None:
    with pytest.raises(SystemExit, match="docker load"):
        sources_list("Ubuntu\thttp://mirror.example/ubuntu/\n")


@pytest.mark.engine
def test_who_may_not_make_a_base_image_is_told_what_else_to_do(engine: APIClient) -> None:
    with pytest.raises(SystemExit, match=r"root on Debian.*\[build\] base_image"):
        make(engine, Machine("Linux", frozenset({"debian"}), root=False, systemd=False))


@pytest.mark.engine
def test_a_base_image_that_the_user_chose_and_that_is_there_is_enough(
    engine: APIClient, image_name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "files").mkdir()
    load(engine, image_name, tmp_path / "files", 0)
    ensure(image_name, tmp_path / "config.toml", engine)
    assert not (tmp_path / "config.toml").exists()
    assert capsys.readouterr().err == ""


@pytest.mark.engine
def test_a_base_image_that_the_user_chose_is_never_replaced_by_another(engine: APIClient, tmp_path: Path) -> None:
    chosen = f"127.0.0.1:9/{uuid.uuid4().hex}:1"
    with pytest.raises(SystemExit, match=f"{chosen}, which your settings choose, cannot be pulled: .*refused"):
        ensure(chosen, tmp_path / "config.toml", engine)
    assert not (tmp_path / "config.toml").exists()


@pytest.fixture
def silent_registry() -> Iterator[str]:
    """The address of a registry that takes every call and never answers."""
    accepted: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            try:
                while True:
                    accepted.append(server.accept()[0])
            except OSError:  # closed
                return

        listener = threading.Thread(target=accept)
        listener.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        listener.join()
    for connection in accepted:
        connection.close()


@pytest.mark.engine
def test_a_registry_that_never_answers_is_given_up_on(engine: APIClient, silent_registry: str) -> None:
    assert pull(engine, f"{silent_registry}/python:3.11", silence=0.5) == "no answer within 0.5 s"


@pytest.mark.engine
def test_the_same_files_make_the_same_layer_whenever_they_are_written(
    engine: APIClient, image_name: str, tmp_path: Path
) -> None:
    layers = []
    for attempt in ("first", "second"):
        folder = tmp_path / attempt
        folder.mkdir()
        (folder / "file").write_text("the same")
        load(engine, image_name, folder, released=1_700_000_000)
        layers.append(engine.inspect_image(image_name)["RootFS"]["Layers"])
    assert layers[0] == layers[1]


@pytest.mark.engine
def test_an_image_of_files_that_cannot_be_read_is_not_left_behind(
    engine: APIClient, image_name: str, tmp_path: Path
) -> None:
    with pytest.raises(SystemExit, match="tar's exit code is 2"):
        load(engine, image_name, tmp_path / "no such folder", 0)
    assert not present(engine, image_name)


@pytest.fixture
def own_base(engine: APIClient) -> str:
    """The base image that was made here; machines that can pull the official one have none."""
    try:
        engine.inspect_image(OWN)
    except ImageNotFound:
        pytest.skip(f"{OFFICIAL} is used here, no base image had to be made")
    return OWN


def output(engine: APIClient, image: str, script: str) -> str:
    """What a shell script prints in a container of the image."""
    container = engine.create_container(image, ["sh", "-ec", script])["Id"]
    try:
        engine.start(container)
        status = engine.wait(container)["StatusCode"]
        printed = engine.logs(container).decode()
    finally:
        engine.remove_container(container, force=True)
    assert status == 0, printed
    return str(printed)


@pytest.mark.engine
def test_the_image_made_here_has_the_shape_of_the_official_one(engine: APIClient, own_base: str) -> None:
    config = engine.inspect_image(own_base)["Config"]
    assert config["Cmd"] == ["python3"]
    assert "LANG=C.UTF-8" in config["Env"]
    assert OFFICIAL in config["Labels"]["mldeploy.base"]
    script = """
        for name in python python3 pip; do command -v $name; done
        python --version
        python -m venv /tmp/venv
        /tmp/venv/bin/python -c 'import ssl, sqlite3'
    """
    *found, version = output(engine, own_base, script).splitlines()
    assert found == ["/usr/local/bin/python", "/usr/local/bin/python3", "/usr/local/bin/pip"]
    assert version.startswith("Python 3.11.")


@pytest.mark.engine
def test_the_image_made_here_starts_python_without_compiling_its_library_anew(engine: APIClient, own_base: str) -> None:
    script = "python -v -c 'import http.client, encodings.cp861, zipfile' 2>&1 | grep -c 'bytecode is stale' || true"
    assert output(engine, own_base, script) == "0\n"


@pytest.mark.engine
def test_the_image_made_here_tells_nothing_of_the_machine_that_made_it(engine: APIClient, own_base: str) -> None:
    script = """
        grep -c BEGIN /etc/ssl/certs/ca-certificates.crt
        grep -c '^mozilla/' /etc/ca-certificates.conf
        find /usr/local/share/ca-certificates /var/log /var/lib/apt/lists -type f
    """
    trusted, public = output(engine, own_base, script).splitlines()
    assert trusted == public, "only the certificates that everybody has are trusted"
    container = engine.create_container(own_base)["Id"]
    try:
        export = io.BytesIO(b"".join(engine.export(container)))
    finally:
        engine.remove_container(container)
    with tarfile.open(fileobj=export) as files:  # the engine adds both files, empty, to what the image holds
        sizes = {name: files.getmember(name).size for name in ("etc/hostname", "etc/resolv.conf")}
    assert sizes == {"etc/hostname": 0, "etc/resolv.conf": 0}
