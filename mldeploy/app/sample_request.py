"""Requests made of the rows of a sample, and the answers of one version to them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from mldeploy.app.client import AnswerError, AppClient, NoAnswerError
from mldeploy.project.golden import Json

MOST_ROWS = 200


@dataclass(frozen=True)
class SampleRequest:
    """One row of a sample. row: its number, from 1. path, body: where and what to POST."""

    row: int
    path: str
    body: Json


@dataclass(frozen=True)
class SampleAnswer:
    """What a version answered. failure: why there is no prediction, "" if there is one. status: HTTP; 0: no answer."""

    prediction: Json
    seconds: float
    failure: str = ""
    status: int = 200

    @property
    def is_error(self) -> bool:
        """Whether the version failed: no answer, or a status of 500 or more. A rejected row is an answer."""
        return bool(self.failure) and (self.status == 0 or self.status >= 500)


def choose_rows(requests: Sequence[SampleRequest], most: int = MOST_ROWS) -> tuple[SampleRequest, ...]:
    """Return at most so many requests, evenly spread over the sample."""
    count = min(most, len(requests))
    return tuple(requests[index * len(requests) // count] for index in range(count))


def ask_version(client: AppClient, request: SampleRequest) -> SampleAnswer:
    """Send one request. Raises CancelledError; an error of the app is an answer, too."""
    began = time.monotonic()
    try:
        prediction = client.predict(request.path, request.body)
    except AnswerError as error:
        status = 0 if isinstance(error, NoAnswerError) else error.status
        return SampleAnswer(None, time.monotonic() - began, error.what, status)
    return SampleAnswer(prediction, time.monotonic() - began)
