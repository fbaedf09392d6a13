"""`version`."""

from __future__ import annotations

import platform

from mldeploy import __version__
from mldeploy.cli.run import Run
from mldeploy.ui.documents.general import VersionDocument


def version(run: Run) -> None:
    """Print which mldeploy this is."""
    document = VersionDocument(__version__, platform.python_version())
    run.output.result(document, lambda page: page.line(f"mldeploy {document.version}"))
