"""Make the recording and the screenshots of the documentation from real runs: `make media`.

    python -m scripts.media [FOLDER]     # default: docs/media

Needs a Docker Engine and Chromium. A model is trained in a new folder, the recorded commands deploy it on this machine,
and the browser opens its page. Everything is removed at the end. The waiting times of the recording are shortened, and
nothing else in it is changed.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.bare_model import train
from tests.browser import start_browser

ROOT = Path(__file__).resolve().parents[1]
RENDERER = "termtosvg-ng==1.4.1"
COLUMNS, ROWS = 100, 30
COMMANDS = (
    "ls",
    "mldeploy init model.joblib --sample rows.csv",
    "mldeploy deploy",
    "mldeploy predict --field age=40 --field smoker=no",
)
LONGEST_PAUSE, LONGEST_COMMAND = 1.2, 6.0
"""Seconds of the recording."""
LARGEST = 300_000
"""Bytes of a file."""
SIZES = {"model-page": (1100, 660), "model-page-phone": (390, 844)}

_PLAYER = """\
import subprocess, sys, time
for command in sys.argv[1:]:
    print("\\x1b[32m$\\x1b[0m ", end="", flush=True)
    for letter in command:
        print(letter, end="", flush=True)
        time.sleep(0.04)
    print(flush=True)
    subprocess.run(command, shell=True)
    print("\\x1b]0;next\\x07", end="", flush=True)
    time.sleep(1.2)
"""


def main() -> None:
    """SystemExit if a file is larger than it may be, or a command fails."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "media"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        app = Path(temporary) / "charges"
        app.mkdir()
        train(app)
        with deployed_by_recording(app, Path(temporary), folder) as url:
            take_screenshots(url, folder)
    for file in folder.iterdir():
        print(f"{file}: {file.stat().st_size:,} bytes")
        if file.stat().st_size > LARGEST:
            sys.exit(f"{file} is larger than {LARGEST:,} bytes")


@contextmanager
def deployed_by_recording(app: Path, temporary: Path, folder: Path) -> Iterator[str]:
    """Record the commands, which deploy the app, and yield its URL. The app is removed at the end."""
    env = {
        **os.environ,
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
        **{f"XDG_{each.upper()}_HOME": str(temporary / each) for each in ("cache", "state")},
        "MLDEPLOY_TARGET_LOCAL_PORT": "0",
        "TERM": "xterm-256color",
    }
    cast = temporary / "terminal.cast"
    player = shlex.join((sys.executable, "-c", _PLAYER, *COMMANDS))
    try:
        _renderer(env, app, "record", str(cast), "-c", player, "-g", f"{COLUMNS}x{ROWS}")
        cast.write_text(shorten(cast.read_text(encoding="utf-8")), encoding="utf-8")
        options = ("-t", "window_frame", "-m", "80", "-D", "4000")
        _renderer(env, app, "render", str(cast), str(folder / "first-deployment.svg"), *options)
        status = _mldeploy(env, app, "status", "--json")
        yield str(json.loads(status)["url"])
    finally:
        _mldeploy(env, app, "destroy", "--yes")


def shorten(cast: str) -> str:
    """An asciicast (version 2) without long pauses, in which no command takes longer than LONGEST_COMMAND seconds."""
    header, *lines = cast.splitlines()
    events = [json.loads(line) for line in lines]
    parts: list[list[tuple[float, str]]] = [[]]
    before = 0.0
    for time, kind, data in events:
        if kind == "o":
            parts[-1].append((min(time - before, LONGEST_PAUSE), data))
            before = time
            if "\x1b]0;next" in data:
                parts.append([])
    shown, now = [header], 0.0
    for part in parts:
        factor = min(1.0, LONGEST_COMMAND / max(sum(pause for pause, _ in part), 0.1))
        for pause, data in part:
            now += pause * factor
            shown.append(json.dumps([round(now, 3), "o", data.replace("\x1b]0;next\x07", "")]))
    return "\n".join(shown) + "\n"


def take_screenshots(url: str, folder: Path) -> None:
    """The page of the model with a prediction, on a desktop and on a phone."""
    with start_browser() as driver:
        for name, (width, height) in SIZES.items():
            _resize(driver, width, height)
            driver.get(f"{url}/?example")
            driver.find_element(By.CSS_SELECTOR, "form button[type=submit]").click()
            WebDriverWait(driver, 60).until(lambda page: page.find_elements(By.CSS_SELECTOR, "#answer .value"))
            driver.save_screenshot(str(folder / f"{name}.png"))


def _resize(driver: webdriver.Chrome, width: int, height: int) -> None:
    """The window's content, which a headless browser may make narrower than its window."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def _renderer(env: dict[str, str], folder: Path, *arguments: str) -> None:
    uv = str(Path(sys.executable).with_name("uv"))
    command: Sequence[str] = (uv, "tool", "run", "--from", RENDERER, "termtosvg", *arguments)
    subprocess.run(command, env=env, cwd=folder, check=True)


def _mldeploy(env: dict[str, str], folder: Path, *arguments: str) -> str:
    command = (sys.executable, "-m", "mldeploy", *arguments)
    return subprocess.run(command, env=env, cwd=folder, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main()
