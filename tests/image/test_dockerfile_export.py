"""The recipe as a Dockerfile that stands in the user's folder, as `mldeploy init --dockerfile` writes it."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from mldeploy.config.settings import Project
from mldeploy.image.dockerfile import bases
from mldeploy.image.labels import APP
from mldeploy.image.recipe import dockerfile_export as module
from mldeploy.image.recipe.dockerfile_export import export_dockerfile
from mldeploy.project.detect.folder import include_all
from mldeploy.project.detect.starts.dockerfile import parse_instructions
from mldeploy.project.errors import ProjectError
from tests.image.conftest import Built
from tests.image.oracle import DOCKER
from tests.image.shop import FILES, project, write
from tests.image.test_image import wait

HERE = Path(module.__file__).parent


@pytest.fixture
def shop(tmp_path: Path) -> Project:
    write(tmp_path / "shop", {"app.py": "", "model.bin": "x", "requirements.txt": "-r more/base.txt\n"})
    write(tmp_path / "shop", {"more/base.txt": "flask\n", "it's.env": "A=1\n"})
    return project(tmp_path / "shop", app={"env_file": tmp_path / "shop" / "it's.env"})


def said(text: str, keyword: str) -> list[str]:
    return [each.rest for each in parse_instructions(text) if each.keyword == keyword]


def test_it_asks_for_nothing_that_the_folder_does_not_hold(shop: Project) -> None:
    text = export_dockerfile(shop, include_all)
    copied = [rest for rest in said(text, "COPY") if not rest.startswith("--from")]
    assert copied == [
        '["certificates.pe[m]", "requirements.txt", "./"]',
        '["more/base.txt", "./more/"]',
        ". code/app/",
    ]
    assert bases(text, {}) == (shop.build.base_image,)
    assert bases(text, {"BASE_IMAGE": "mine:1"}) == ("mine:1",)


def test_requirements_that_all_lie_deeper_still_bring_the_certificates_with_them(shop: Project) -> None:
    deeper = replace(shop, build=replace(shop.build, requirements="more/base.txt"))
    first, second, _ = [
        rest for rest in said(export_dockerfile(deeper, include_all), "COPY") if not rest.startswith("--from")
    ]
    assert first == '["certificates.pe[m]", "more/base.txt", "./"]'
    assert second == '["more/base.txt", "./more/"]'


def test_both_builders_accept_it_and_nothing_in_it_is_ours_to_remove(shop: Project) -> None:
    text = export_dockerfile(shop, include_all)
    assert not re.search(r"--mount|--chmod|--link|<<", text)
    assert "LABEL" not in text


def test_the_programs_in_it_are_ours_to_the_letter(shop: Project, tmp_path: Path) -> None:
    folder = tmp_path / "unpacked"
    folder.mkdir()
    (command,) = (rest for rest in said(export_dockerfile(shop, include_all), "RUN") if rest.startswith("echo "))
    subprocess.run(["sh", "-c", command], cwd=folder, check=True)
    names = {each.name for each in folder.iterdir()}
    assert {"trim.py", "gunicorn_conf.py", "mldeploy_wsgi.py"} <= names
    ours = {each.name: each for each in (HERE / "trim.py", *(HERE.parent / "server").iterdir())}
    assert {name: (folder / name).read_text() for name in names} == {name: ours[name].read_text() for name in names}


def test_it_is_short_enough_to_read_and_its_lines_short_enough_for_docker(shop: Project) -> None:
    lines = export_dockerfile(shop, include_all).splitlines()
    assert len(lines) < 120
    assert max(map(len, lines)) < 65_000, "longer lines are an error of the classic builder"


def test_the_models_and_what_must_stay_out_are_named(shop: Project) -> None:
    sorting = next(rest for rest in said(export_dockerfile(shop, include_all), "RUN") if "mv model.bin" in rest)
    assert """rm -f certificates.pem mldeploy.toml 'it'"'"'s.env'""" in sorting
    assert "mv model.bin ../../model/app/model.bin" in sorting


def test_requirements_that_the_build_would_not_be_sent_are_refused(shop: Project) -> None:
    with pytest.raises(ProjectError) as caught:
        export_dockerfile(shop, lambda path: path != "more/base.txt")
    assert caught.value.where == ".dockerignore: more/base.txt"


@pytest.mark.exhaustive
@pytest.mark.engine
@pytest.mark.skipif(DOCKER is None, reason="there is no docker command here")
def test_the_docker_command_makes_of_it_what_mldeploy_would_make(built: Built, tmp_path: Path) -> None:
    shop = built.shop
    given = shop.project()
    folder = tmp_path / "shop"
    write(folder, FILES)
    (folder / "Dockerfile").write_text(export_dockerfile(given, include_all))
    (folder / ".dockerignore").write_text("Dockerfile\n.dockerignore\n")
    if given.build.ca_bundle:
        shutil.copy(given.build.ca_bundle, folder / "certificates.pem")
    tag = f"{shop.name}-by-hand"
    subprocess.run([str(DOCKER), "build", "--quiet", "--tag", tag, str(folder)], check=True, capture_output=True)
    try:
        made, ours = (shop.engine.client.inspect_image(each)["Config"] for each in (tag, built.image.digest))
        for key in ("Env", "Cmd", "Entrypoint", "User", "WorkingDir", "ExposedPorts", "Healthcheck", "StopSignal"):
            assert made[key] == ours[key], key
        assert APP not in (made["Labels"] or {})
        look = ("find", "/app", "/venv", "-not", "-name", "*.pyc", "-printf", "%p %y %m %U %G\\n")
        assert _listed(shop.run(tag, *look)) == _listed(shop.run(built.image, *look))
        with shop.container(tag, host={"read_only": True, "tmpfs": {"/tmp": ""}}) as container:
            requests.get(f"{wait(shop, container)}/slow?seconds=0", timeout=300).raise_for_status()
    finally:
        shop.engine.client.remove_image(tag, force=True)


def _listed(text: str) -> list[str]:
    return sorted(text.splitlines())
