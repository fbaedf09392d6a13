"""See to it that Debian's Chromium and its driver are here for the page tests, which skip themselves without them."""

import shutil

from scripts.machine import Machine, apt_install, machine_lock, say

PROGRAMS = ("chromium", "chromedriver")
# Without recommended packages Chromium comes without any font, and a page without letters.
PACKAGES = ("chromium", "chromium-driver", "fonts-dejavu-core")


def main() -> None:
    """Install what is missing where root may, else say what will not be tested. May be repeated."""
    if not missing():
        return
    machine = Machine.here()
    # Ubuntu's package of that name only installs a snap, which needs systemd and another network.
    if not machine.installs or "ubuntu" in machine.distributions:
        say(f"The page tests will be skipped: install {' and '.join(missing())} to run them.")
        return
    with machine_lock():
        if missing():
            apt_install(*PACKAGES)


def missing() -> list[str]:
    """The programs that the page tests need and that are not on PATH."""
    return [program for program in PROGRAMS if shutil.which(program) is None]


if __name__ == "__main__":
    main()
