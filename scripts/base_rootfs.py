"""The files of a slim Python 3.11 on Debian bookworm, made from the distribution's own packages with debootstrap."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path

from scripts.machine import apt_install, run

SUITE = "bookworm"
PACKAGES = "python3,python3-pip,python3-venv,ca-certificates"
# What no program in a container reads, and what would tell of the machine that made the image.
EMPTIED = (
    "var/cache/apt",
    "var/lib/apt/lists",
    "var/log",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/locale",
    "usr/share/man",
)
REMOVED = (
    "etc/hostname",
    "etc/resolv.conf",
    "etc/machine-id",
    "var/cache/debconf/config.dat-old",
    "var/cache/debconf/templates.dat-old",
    "var/cache/ldconfig/aux-cache",
    "var/lib/dpkg/status-old",
    # The official image lets pip install where it likes, and Dockerfiles count on that.
    "usr/lib/python3.11/EXTERNALLY-MANAGED",
)
# The official image has its Python in /usr/local/bin, under all these names.
LINKS = {
    "python": "/usr/bin/python3.11",
    "python3": "/usr/bin/python3.11",
    "python3.11": "/usr/bin/python3.11",
    "pip": "/usr/bin/pip3",
    "pip3": "/usr/bin/pip3",
}


@contextmanager
def rootfs() -> Iterator[tuple[Path, int]]:
    """The folder with the files, and the time of their packages' latest release (seconds since 1970).

    Takes about a minute. Needs root and `machine_lock`; SystemExit with debootstrap's last lines when it fails.
    """
    if shutil.which("debootstrap") is None:
        apt_install("debootstrap")
    sources, environment = sources_list(index_targets()), proxies()
    # Not under /tmp, which may be mounted without devices or programs.
    with tempfile.TemporaryDirectory(prefix="mldeploy-base-", dir="/var/tmp") as folder:
        root = Path(folder)
        _bootstrap(root, sources, environment)
        released = _release_time(root)
        _trim(root)
        root.chmod(0o755)  # it was a temporary folder, and is to be a root: some engines take its mode, too
        yield root, released


def index_targets() -> str:
    """What apt's configuration says about where packages come from: lines of label, archive and address."""
    wanted = ["--format", "$(LABEL)\t$(REPO_URI)", "Identifier: Packages", "Component: main"]
    command = ["apt-get", "indextargets", *wanted]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def sources_list(targets: str) -> str:
    """The image's sources.list: release, updates and security fixes, from the mirrors that this machine uses.

    SystemExit when this machine's packages are not Debian's (Ubuntu's archive has no bookworm).
    """
    mirrors = dict(line.split("\t") for line in targets.splitlines())
    if "Debian" not in mirrors:
        sys.exit(
            "The base image can be made from packages only where apt uses a Debian mirror: "
            "make python:3.11-slim-bookworm available to the engine instead (docker load, or a registry in reach)."
        )
    lines = [f"deb {mirrors['Debian']} {SUITE} main", f"deb {mirrors['Debian']} {SUITE}-updates main"]
    if "Debian-Security" in mirrors:
        lines.append(f"deb {mirrors['Debian-Security']} {SUITE}-security main")
    return "\n".join(lines) + "\n"


def proxies() -> Mapping[str, str]:
    """apt's proxy, in the way in which debootstrap and the apt inside it understand it."""
    command = ["apt-config", "shell", "http_proxy", "Acquire::http::Proxy", "https_proxy", "Acquire::https::Proxy"]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {name: value.strip("'") for name, _, value in (line.partition("=") for line in answer.splitlines())}


def _bootstrap(root: Path, sources: str, environment: Mapping[str, str]) -> None:
    mirror = sources.split()[1]
    # A mount namespace of its own: whatever happens, no /proc stays mounted where the folder is removed.
    alone = ["unshare", "--mount"]
    variant = ["--variant=minbase", f"--include={PACKAGES}"]
    run([*alone, "debootstrap", *variant, SUITE, root, mirror], "debootstrap", environment, attempts=3)
    (root / "etc/apt/sources.list").write_text(sources)
    update = "timeout 300 apt-get update -o APT::Update::Error-Mode=any && apt-get upgrade --yes"
    quietly = {**environment, "DEBIAN_FRONTEND": "noninteractive"}
    what = "apt-get upgrade in the new base image"
    run([*alone, "chroot", root, "sh", "-c", update], what, quietly, attempts=3)


def _release_time(root: Path) -> int:
    # The latest of release, updates and security fixes: a file's time that were moved back from after it would no
    # longer be the one in its bytecode, and every start would compile it again.
    releases = (root / "var/lib/apt/lists").glob(f"*_dists_{SUITE}*Release")
    dates = [line for file in releases for line in file.read_text().splitlines() if line.startswith("Date: ")]
    return max(int(parsedate_to_datetime(date.removeprefix("Date: ")).timestamp()) for date in dates)


def _trim(root: Path) -> None:
    for name in EMPTIED:
        for path in (root / name).iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for name in REMOVED:
        (root / name).unlink(missing_ok=True)
    for folder, _, names in os.walk(root / "usr/share/doc"):
        for name in names:
            if name != "copyright":  # the licences stay with what they license
                (Path(folder) / name).unlink()
    for name, target in LINKS.items():
        (root / "usr/local/bin" / name).symlink_to(target)
