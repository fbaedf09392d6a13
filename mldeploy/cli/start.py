"""Where the program begins: all that it needs is loaded inside, so that a Ctrl-C meanwhile is no traceback."""

from __future__ import annotations

import gc

INTERRUPTED = 130
"""`core.errors.ExitCode.INTERRUPTED`, which has not been loaded yet."""


def main() -> int:
    """Load the command line and run it; its exit code. Raises nothing."""
    try:
        from mldeploy.cli.main import main as run  # noqa: PLC0415 - see above
    except KeyboardInterrupt:
        return INTERRUPTED
    code = run()
    gc.freeze()  # a process that ends need not be swept first: that takes an eighth of a short command's time
    return code
