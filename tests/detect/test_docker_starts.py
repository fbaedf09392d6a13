"""What a Dockerfile starts where the folder, the image and the command name things differently."""

from __future__ import annotations

from pathlib import Path

import pytest

from mldeploy.project.detect.folder import DetectedFolder, detect_folder
from mldeploy.project.detect.frameworks import Interface
from tests.detect.folders import write

APP = "from fastapi import FastAPI\n\napp = FastAPI()\n\n\n@app.get('/health')\ndef health():\n    return {}\n"
FROM = "FROM python:3.11-slim\n"


def detected(root: Path, files: dict[str, str]) -> DetectedFolder:
    for path, text in files.items():
        write(root / path, text.encode())
    return detect_folder(root)


@pytest.mark.parametrize(
    ("path", "copy", "served"),
    [
        ("src/main.py", "WORKDIR /code\nCOPY ./src /code/app", "app.main:app"),
        ("src/main.py", "WORKDIR /code\nCOPY src/ ./app/", "app.main:app"),
        ("src/api/main.py", "COPY src /srv/shop\nWORKDIR /srv", "shop.api.main:app"),
        ("deploy/serve.py", "WORKDIR /code\nCOPY deploy/serve.py main.py", "main:app"),
    ],
)
def test_package_that_is_copied_under_another_name_is_found(tmp_path: Path, path: str, copy: str, served: str) -> None:
    folder = detected(
        tmp_path, {path: APP, "Dockerfile": f'{FROM}{copy}\nCMD ["uvicorn", "{served}", "--port", "8044"]\n'}
    )
    assert folder.entry
    assert (folder.entry.value.path, folder.entry.value.interface) == (path, Interface.ASGI)
    assert folder.health
    assert folder.health.value == "/health"
    assert not [each for each in folder.remarks if "not there" in each.what]


def test_package_that_nothing_copies_under_that_name_is_missed(tmp_path: Path) -> None:
    dockerfile = f'{FROM}COPY src /code/other\nWORKDIR /code\nCMD ["uvicorn", "app.main:app"]\n'
    folder = detected(tmp_path, {"src/main.py": APP, "Dockerfile": dockerfile})
    assert [each for each in folder.remarks if "not there" in each.what]


SUPERVISED = "[supervisord]\nnodaemon=true\n\n[program:web]\ncommand=uvicorn main:app --port %(ENV_P)s ; the app\n"


@pytest.mark.parametrize(
    "start",
    [
        '["supervisord", "-c", "/code/supervisord.conf"]',
        "supervisord --nodaemon --configuration=supervisord.conf",
        '["/usr/bin/supervisord", "-nc", "/etc/supervisord.conf"]',
        "supervisord -n",
        "exec supervisord -n",
    ],
)
@pytest.mark.parametrize("directory", ["", "directory=/code\n"])
def test_program_of_supervisor_says_what_is_served(tmp_path: Path, start: str, directory: str) -> None:
    dockerfile = f"{FROM}ENV P=8046\nWORKDIR /code\nCOPY . .\nCMD {start}\n"
    folder = detected(tmp_path, {"main.py": APP, "Dockerfile": dockerfile, "supervisord.conf": SUPERVISED + directory})
    assert folder.port
    assert (folder.port.value, str(folder.port.source)) == (8046, "supervisord.conf:5")
    assert folder.entry
    assert str(folder.entry.value) == "main:app"


def test_proxy_beside_the_app_keeps_the_port_that_the_image_names(tmp_path: Path) -> None:
    dockerfile = f"{FROM}ENV P=8046\nEXPOSE 8080\nWORKDIR /code\nCOPY . .\nCMD supervisord -n\n"
    proxied = SUPERVISED + "\n[program:proxy]\ncommand=/usr/sbin/nginx -g 'daemon off;'\n"
    folder = detected(tmp_path, {"main.py": APP, "Dockerfile": dockerfile, "supervisord.conf": proxied})
    assert folder.port
    assert folder.port.value == 8080


def test_module_of_python_itself_is_no_script_of_the_folder(tmp_path: Path) -> None:
    dockerfile = f'{FROM}COPY . .\nCMD ["python", "-m", "http.server", "8000"]\n'
    assert not detected(tmp_path, {"main.py": APP, "Dockerfile": dockerfile}).commands


COPIED = "WORKDIR /code\nCOPY . .\n"
COMPOSE = "services:\n  web:\n    build: .\n    command: uvicorn main:app --port 8031\n"


@pytest.mark.parametrize("base", ["python:3.11-slim", "docker.io/library/python", "ubuntu:24.04", "nvidia/cuda:12.4.1"])
@pytest.mark.parametrize("more", [{}, {"compose.yml": COMPOSE}])
def test_image_that_starts_nothing_is_told(tmp_path: Path, base: str, more: dict[str, str]) -> None:
    folder = detected(tmp_path, {"main.py": APP, "Dockerfile": f"FROM {base}\n{COPIED}", **more})
    assert [str(each.source) for each in folder.remarks if each.code == "no-command"] == ["Dockerfile"]


@pytest.mark.parametrize(
    "dockerfile",
    [
        f"FROM tiangolo/uvicorn-gunicorn-fastapi:python3.11\n{COPIED}",
        f"{FROM}{COPIED}CMD exec uvicorn main:app\n",
        f'{FROM}{COPIED}ENTRYPOINT ["uvicorn", "main:app"]\n',
        f'FROM python:3.11 AS first\nCMD ["uvicorn", "main:app"]\nFROM first\n{COPIED}',
    ],
)
def test_image_that_starts_something_is_not_told(tmp_path: Path, dockerfile: str) -> None:
    folder = detected(tmp_path, {"main.py": APP, "Dockerfile": dockerfile})
    assert not [each for each in folder.remarks if each.code == "no-command"]


@pytest.mark.parametrize(
    ("cmd", "told"),
    [('CMD ["/opt/own-server"]', ["compose.yml:4"]), ('CMD ["uvicorn", "main:app", "--port", "8000"]', []), ("", [])],
)
def test_command_of_compose_that_the_image_does_not_have_is_told(tmp_path: Path, cmd: str, told: list[str]) -> None:
    dockerfile = f"{FROM}{COPIED}{cmd}\n"
    folder = detected(tmp_path, {"main.py": APP, "Dockerfile": dockerfile, "compose.yml": COMPOSE})
    assert [str(each.source) for each in folder.remarks if each.code == "command-overridden"] == told
