"""What is said of a folder before anything is done with it: what was assumed of it, and what looks wrong."""

from __future__ import annotations

from mldeploy.cli.run import Run
from mldeploy.config.sources import OWN_FILE
from mldeploy.project.inspect import Inspection
from mldeploy.ui.documents.image import AssumedDocument


def tell(run: Run, inspection: Inspection) -> None:
    """Say it: each warning, and in one line what a folder without configuration was taken for."""
    for remark in inspection.remarks:
        run.output.warn(f"{remark.source}: {remark.what}. {remark.todo}".rstrip())
    if not inspection.configured:
        assumed = ", ".join(f"{each.key} {each.value} ({each.why})" for each in inspection.assumed)
        run.output.say(f"There is no {OWN_FILE}, so this was found: {assumed}. `mldeploy init` writes it down.")
    elif run.output.manner.verbose:
        for each in inspection.assumed:
            run.output.say(str(each))


def documents(inspection: Inspection) -> tuple[AssumedDocument, ...]:
    """The same for `--json`."""
    return tuple(AssumedDocument(each.key, each.value, each.why) for each in inspection.assumed)
