"""See to it that the engine has a base image: pulled where that works, made from the distribution's packages where not.

An image made here bears a name of our own and is chosen through the setting that every user has, `[build] base_image`.
"""

import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import tomlkit
from docker import APIClient
from docker.credentials.errors import StoreError
from docker.errors import ImageNotFound

from mldeploy.config.load import load as settings_of
from mldeploy.config.model import BuildTable
from mldeploy.config.paths import config_file
from mldeploy.core.errors import MldeployError
from mldeploy.image.engine import Engine
from mldeploy.image.errors import EngineError, engine_errors
from scripts.base_rootfs import rootfs
from scripts.machine import Machine, machine_lock, say

OFFICIAL = BuildTable().base_image
OWN = "mldeploy/python:3.11-slim"
# Its settings say what a build on this machine would start from, wherever that is set.
EXAMPLE = Path("example_app")
# A pull that says nothing for so long is not going to work.
SILENCE_SECONDS = 20.0
IMAGE_CONFIG = [
    "ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
    "ENV LANG=C.UTF-8",
    'CMD ["python3"]',
    f'LABEL mldeploy.base="Python 3.11 on Debian bookworm, made with debootstrap where {OFFICIAL} could not be pulled"',
]


def main() -> None:
    """Return once the chosen base image is there; SystemExit with one sentence otherwise. May be repeated."""
    try:
        ensure(settings_of(EXAMPLE).build.base_image, config_file(), Engine.connect().client)
    except MldeployError as error:
        sys.exit(str(error))


def ensure(wanted: str, config: Path, client: APIClient) -> None:
    """See to it that the engine has the base image that the settings choose; one that is made is chosen in `config`."""
    if present(client, wanted):
        return
    if wanted != OWN and not (wanted == OFFICIAL and present(client, OWN)):
        say(f"Pulling {wanted}")
        reason = pull(client, wanted)
        if reason is None:
            return
        if wanted != OFFICIAL:
            sys.exit(f"The base image {wanted}, which your settings choose, cannot be pulled: {reason}")
        say(f"It cannot be pulled: {reason}")
    if not present(client, OWN):
        make(client, Machine.here())
    choose(config, OWN, ca_bundle())


def present(client: APIClient, image: str) -> bool:
    """Whether the engine has the image."""
    try:
        client.inspect_image(image)
    except ImageNotFound:
        return False
    return True


def pull(client: APIClient, image: str, silence: float = SILENCE_SECONDS) -> str | None:
    """Pull an image; None when that worked, else the reason in one line, be it `silence` seconds without news."""
    # The SDK has no time limit for a pull: it runs in a thread that we can turn away from.
    news: queue.Queue[str | None] = queue.Queue()

    def listen() -> None:
        try:
            with engine_errors(image):
                for event in client.pull(image, stream=True, decode=True):
                    news.put(event.get("error", ""))
            news.put(None)
        except EngineError as error:
            news.put(error.what)
        except StoreError as error:  # a credential helper that does not work
            news.put(str(error))

    threading.Thread(target=listen, daemon=True).start()
    try:
        while (word := news.get(timeout=silence)) is not None:
            if word:
                return " ".join(word.split())
    except queue.Empty:
        return f"no answer within {silence:g} s"
    return None


def make(client: APIClient, machine: Machine) -> None:
    """Make the base image from packages; SystemExit where that cannot be done."""
    if not machine.installs:
        sys.exit(
            f"Without {OFFICIAL} a base image can only be made by root on Debian: "
            "run this as root once, or choose an image that your engine can pull ([build] base_image)."
        )
    with machine_lock():
        if present(client, OWN):  # another set-up was faster
            return
        say(f"Making {OWN} from Debian's packages instead (about a minute)")
        with rootfs() as (folder, released):
            load(client, OWN, folder, released)


def load(client: APIClient, image: str, folder: Path, released: int) -> None:
    """Make the folder an image; no file in it is younger than `released`: equal content is an equal layer."""
    alike = ["--sort=name", "--numeric-owner", "--clamp-mtime", f"--mtime=@{released}"]
    repository, _, tag = image.partition(":")
    command = ["tar", "--create", *alike, "--directory", str(folder), "."]
    with engine_errors(image), subprocess.Popen(command, stdout=subprocess.PIPE) as tar:
        answer = client.import_image(tar.stdout, repository, tag, changes=IMAGE_CONFIG, stream_src=True)
    if tar.returncode and present(client, image):
        client.remove_image(image)  # half of it
    if not present(client, image):
        sys.exit(f"The engine did not take in {image}: {answer} (tar's exit code is {tar.returncode}).")


def ca_bundle() -> str | None:
    """The certificates that this machine's user trusts instead of the usual ones, as behind a TLS-inspecting proxy."""
    named = (os.environ.get(name) for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT"))
    return next((path for path in named if path and Path(path).is_file()), None)


def choose(config: Path, base_image: str, ca_bundle: str | None) -> None:
    """Set the base image, and the certificates if any, in the user's file, and say so; what is set there stays."""
    config = config.resolve()  # a link, as to a folder of dotfiles, stays one
    document = tomlkit.parse(config.read_text()) if config.exists() else tomlkit.document()
    build = document.setdefault("build", tomlkit.table())
    settings = {"base_image": base_image, "ca_bundle": ca_bundle}
    added = {key: value for key, value in settings.items() if value and key not in build}
    if not added:
        return
    build.update(added)
    config.parent.mkdir(parents=True, exist_ok=True)
    # Written beside it and moved into place: nobody ever reads half a file.
    with tempfile.NamedTemporaryFile("w", dir=config.parent, delete=False) as file:
        file.write(tomlkit.dumps(document))
    if config.exists():
        shutil.copymode(config, file.name)
    Path(file.name).replace(config)
    say(f"{config} now sets " + ", ".join(f'{key} = "{value}"' for key, value in added.items()) + " in [build]")


if __name__ == "__main__":
    main()
