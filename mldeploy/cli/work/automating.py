"""`ci`: a workflow for somebody else's machines."""

from __future__ import annotations

import re

from mldeploy.ci.render import render
from mldeploy.ci.survey import Asked, Survey, survey
from mldeploy.ci.targets import TARGETS
from mldeploy.ci.writing import State, put
from mldeploy.cli.errors import UsageError
from mldeploy.cli.options import DEFAULT_TARGET, System
from mldeploy.cli.run import Run
from mldeploy.providers import registry
from mldeploy.ui.documents.automation import OnceDocument, WorkflowDocument
from mldeploy.ui.views import automation as views

_BRANCH = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._/-]*[A-Za-z0-9_-])?")
"""Of all that git allows, what means nothing else in a filter or an expression of GitHub's."""


def ci(run: Run, system: System, target: str, branch: str, *, force: bool, alone: bool) -> None:
    """Write the workflow. alone: print it instead."""
    _refuse(run, target, branch)
    found = survey(run.folder, Asked(target, branch, registry.EXTRAS.get(target, "")))
    text = render(found.wanted)
    state = State.PRINTED if alone else put(found.repository.root, found.wanted.file, text, force=force)
    document = _described(found, system, state, text, branch)
    terse = run.output.manner.quiet
    if alone and not run.output.manner.json:
        run.output.lines(text.splitlines())
        return
    run.output.result(document, lambda page: views.written(document, page, terse=terse))


def _refuse(run: Run, target: str, branch: str) -> None:
    """Raises UsageError for what no workflow can do, UnknownTargetError for a target that there is none of."""
    if run.clone:
        what = "what it would write into the clone would be gone with the next command"
        raise UsageError("mldeploy ci", what, "Clone the repository yourself: `git clone`.")
    known = ", ".join(name for name in TARGETS if name in registry.names())
    if target == DEFAULT_TARGET:
        what = f"{target} is this machine, and a runner of GitHub's ends with its job: nothing would be left of it"
        raise UsageError("--target", what, f"Name where the app is to run, or its image to be kept: {known}.")
    if target not in TARGETS:
        registry.find(target)
        what = f"nothing is known of how a workflow signs in to {target}, which another package brings"
        raise UsageError("--target", what, f"Write the workflow yourself, or choose one of these: {known}.")
    if not _BRANCH.fullmatch(branch) or ".." in branch or "//" in branch:
        what = f"{branch!a} is not the name of a branch that a workflow can wait for"
        raise UsageError("--branch", what, "Letters, digits and . _ / - alone: --branch main.")


def _described(found: Survey, system: System, state: State, text: str, branch: str) -> WorkflowDocument:
    wanted, runner = found.wanted, found.wanted.tests.runner
    return WorkflowDocument(
        wanted.app,
        wanted.target,
        system.value,
        str(found.repository.root / wanted.file),
        state.value,
        text,
        found.repository.name,
        branch,
        wanted.environment,
        wanted.python,
        tuple(wanted.installation.run(each) for each in wanted.linters),
        wanted.installation.run(runner) if runner else None,
        found.variables,
        found.secrets,
        tuple(OnceDocument(each.what, each.commands) for each in found.once),
        found.remarks,
    )
