"""`doctor`: look at everything, mend what is safe to mend, look again."""

from __future__ import annotations

import time

import typer

from mldeploy.cli.describe import doctor as describe
from mldeploy.cli.errors import UsageError
from mldeploy.cli.log import listen
from mldeploy.cli.run import Run
from mldeploy.core.errors import ExitCode
from mldeploy.core.events import Action, Finished, Started
from mldeploy.core.step import Key, Resource
from mldeploy.doctor.checks import examined
from mldeploy.doctor.examination import Diagnosis, mend
from mldeploy.project.folder import require_folder
from mldeploy.ui.output import Shown
from mldeploy.ui.views import doctor as views

TITLE = "Look at everything"


def doctor(run: Run, target: str, *, fix: bool) -> None:
    """Print the report; exit code 1 if there is an error in it."""
    if run.rehearse:
        what = "the doctor looks at what is real"
        raise UsageError("--rehearse", what, "`mldeploy rehearse status` says what a rehearsal holds.")
    require_folder(run.folder)
    listen(verbose=run.output.manner.verbose)
    diagnoses = _look(run, target)
    mended = mend(diagnoses) if fix else ()
    if mended:
        diagnoses = _look(run, target)
    document = describe.report(target, diagnoses, mended)
    terse, commands = run.output.manner.quiet, run.commands(target)
    run.output.result(document, lambda page: views.report(document, page, commands, terse=terse))
    if not document.healthy:
        raise typer.Exit(ExitCode.FAILED)


def _look(run: Run, target: str) -> tuple[Diagnosis, ...]:
    resource, began = Resource("doctor", Key(target)), time.monotonic()
    with run.output.watching(Shown.LOOKING) as events:
        events(Started(resource, TITLE))
        diagnoses = examined(run.folder, target, run.account(target))
        events(Finished(resource, TITLE, Action.UNCHANGED, time.monotonic() - began))
    return diagnoses
