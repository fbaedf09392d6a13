"""`predict`."""

from __future__ import annotations

from mldeploy.cli import session
from mldeploy.cli.payload import Input, payload
from mldeploy.cli.run import Run
from mldeploy.cli.work.operating import address
from mldeploy.image.client import AppClient
from mldeploy.ui import answers
from mldeploy.ui.documents import PredictDocument


def predict(run: Run, target: str, given: Input) -> None:
    """Send what was given to what is deployed, and show its answer."""
    deployment = session.known(run, target)
    sent = payload(given, deployment.project)
    url = address(deployment, run)
    if sent.golden:
        run.output.say("Nothing was given to send: this is the golden row's request.")
    with AppClient(url) as client:
        answer = client.predict(sent.path, sent.body)
    document = PredictDocument(deployment.app, deployment.target, url + sent.path, sent.body, answer)
    run.output.result(document, lambda page: answers.predicted(document, page))
