"""Install zsh and fish for the tests of the shell completion, which are skipped without them."""

import shutil

from scripts.machine import Machine, apt_install, machine_lock, say

SHELLS = ("zsh", "fish")


def main() -> None:
    """Install missing shells as root on Debian, else name the tests that are skipped. May be repeated."""
    if not missing():
        return
    if not Machine.here().installs:
        say(f"The tests of the shell completion will be skipped: install {' and '.join(missing())} to run them.")
        return
    with machine_lock():
        if missing():
            apt_install(*missing())


def missing() -> list[str]:
    """Return the shells that the tests need and that are not on PATH."""
    return [shell for shell in SHELLS if shutil.which(shell) is None]


if __name__ == "__main__":
    main()
