"""What `status` says first of an app that is there and does not answer."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest

from mldeploy.cli.commands.status import ProbedDocument, StatusDocument, print_status
from mldeploy.providers.base import SILENT
from mldeploy.ui.page import PlainPage

STEP = ProbedDocument(kind="fargate-endpoint", name="paper", title="Answer at the URL", state="present", remarks=())
STATUS = StatusDocument(
    app="paper", target="fargate", url="http://198.51.100.7:5000", since=None, steps=(STEP,), instances=()
)


@pytest.mark.parametrize(
    ("remarks", "headline"),
    [
        ((), "paper is running at http://198.51.100.7:5000"),
        ((SILENT,), "paper does not answer at http://198.51.100.7:5000"),
    ],
)
def test_the_headline_does_not_contradict_the_last_step(remarks: tuple[str, ...], headline: str) -> None:
    shown = StringIO()
    status = replace(STATUS, steps=(replace(STEP, remarks=remarks),))
    print_status(status, PlainPage(shown, unicode=True), lambda verb: verb, "deploy")
    assert shown.getvalue().splitlines()[0].rstrip() == headline
