"""See to it that there is a registry to rehearse with: root on Debian and Ubuntu gets the distribution's."""

from mldeploy.rehearsal.record import RehearsalError
from mldeploy.rehearsal.registry.program import find_program
from scripts.machine import Machine, apt_install, machine_lock, run, say

PACKAGE = "docker-registry"


def main() -> None:
    """Return once the program is there, or one sentence has said what to install. May be repeated.

    Only a rehearsal needs it: where it cannot be had, everything else goes on.
    """
    error = missing()
    if error is None:
        return
    machine = Machine.here()
    if not machine.installs:
        say(str(error))
        return
    with machine_lock():
        if missing() is not None:  # otherwise another set-up was faster
            apt_install(PACKAGE)
            if machine.systemd:  # its service would take the port on which many an app listens
                run(["systemctl", "disable", "--now", PACKAGE], f"systemctl disable {PACKAGE}")


def missing() -> RehearsalError | None:
    """What to do where there is none; None where there is one."""
    try:
        find_program()
    except RehearsalError as error:
        return error
    return None


if __name__ == "__main__":
    main()
