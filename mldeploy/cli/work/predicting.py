"""`predict`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from mldeploy.cli import session
from mldeploy.cli.payload import Input, Payload, payload
from mldeploy.cli.run import Run
from mldeploy.cli.session import Deployment
from mldeploy.cli.work.operating import address
from mldeploy.image.client import AnswerError, AppClient, SilentError
from mldeploy.project.golden import Json
from mldeploy.providers.reaching import Reachable
from mldeploy.ui import answers
from mldeploy.ui.documents.service import PredictDocument


def predict(run: Run, target: str, given: Input) -> None:
    """Send what was given to what is deployed, and show its answer."""
    deployment = session.askable(run, target)
    sent = payload(given, deployment.project)
    if sent.golden:
        run.output.say("Nothing was given to send: this is the golden row's request.")
    with _reached(deployment, run) as url, AppClient(url, deployment.trust) as client:
        answer = _answer(client, sent)
    document = PredictDocument(deployment.app, deployment.target, url + sent.path, sent.body, answer)
    run.output.result(document, lambda page: answers.predicted(document, page))


@contextmanager
def _reached(deployment: Deployment[object], run: Run) -> Iterator[str]:
    """Where the app answers from here: its address, or a way to it that lasts as long as the question."""
    service = deployment.service
    if isinstance(service, Reachable):
        with service.reach() as url:
            yield url
    else:
        yield address(deployment, run)


def _answer(client: AppClient, sent: Payload) -> Json:
    if sent.rows is None:
        return _asked(client, sent.path, sent.body)
    return [_asked(client, sent.path, row, f"row {number}: ") for number, row in enumerate(sent.rows, start=1)]


def _asked(client: AppClient, path: str, body: Json, which: str = "") -> Json:
    """One answer. which: what an error begins with."""
    try:
        return client.predict(path, body)
    except SilentError:
        raise
    except AnswerError as error:
        said = _refused(error) if 400 <= error.status < 500 else error
        raise AnswerError(said.where, which + said.what, said.todo, status=said.status, line=said.line) from error


def _refused(error: AnswerError) -> AnswerError:
    """What the app has against the request, without the JSON around it: `age: must be between 18 and 64`."""
    try:
        reason = ": ".join(_texts(json.loads(error.line)))
    except (ValueError, RecursionError):
        return error
    what = f"the app refuses the request ({error.status}): {reason}"
    return AnswerError(error.where, what, "Correct what is sent.", status=error.status, line=error.line)


def _texts(answer: object) -> Iterator[str]:
    if isinstance(answer, dict | list):
        for each in answer.values() if isinstance(answer, dict) else answer:
            yield from _texts(each)
    elif answer is not None:
        yield str(answer)
