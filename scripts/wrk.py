"""See to it that there is wrk to measure with: root on Debian and Ubuntu gets the distribution's."""

import shutil

from scripts.machine import Machine, apt_install, machine_lock, say

PACKAGE = "wrk"


def main() -> None:
    """Return once it is there, or one sentence has said what to install. May be repeated."""
    if shutil.which(PACKAGE):
        return
    if not Machine.here().installs:
        say("Serving is measured with wrk, which is not installed: `brew install wrk`, or your system's package.")
        return
    with machine_lock():
        apt_install(PACKAGE)


if __name__ == "__main__":
    main()
