"""`mldeploy predict`."""

# ruff: noqa: PLC0415 - `--help` must not load any SDK

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from mldeploy.cli import options
from mldeploy.cli.run import CommandRun
from mldeploy.ui.documents import Document
from mldeploy.ui.page import Page, Style

if TYPE_CHECKING:
    from mldeploy.app.client import AnswerError, AppClient
    from mldeploy.cli.commands.predict_input import PredictInput, PredictRequest
    from mldeploy.cli.deployment import AppDeployment
    from mldeploy.config.secret import Secret
    from mldeploy.core.errors import MldeployError
    from mldeploy.core.monitor import Monitor
    from mldeploy.project.golden import Json

HeadsAndRows = tuple[Sequence[str], Sequence[Sequence[object]]]


@dataclass(frozen=True)
class PredictDocument(Document):
    """`predict`."""

    app: Annotated[str, "name of the app"]
    target: Annotated[str, "deployment target"]
    url: Annotated[str, "URL of the request"]
    request: Annotated[object, "JSON of the request; a list if rows were sent one after the other"]
    answer: Annotated[object, "JSON of the answer; a list with an answer for each row"]


def predict(  # noqa: PLR0913, PLR0917 - one parameter per option
    run: CommandRun,
    target: options.Target = options.DEFAULT_TARGET,
    data: Annotated[
        str | None,
        typer.Option("--data", "-d", metavar="JSON", help="JSON to send; @FILE reads a file, - standard input."),
    ] = None,
    csv: Annotated[
        str | None,
        typer.Option("--csv", metavar="FILE", help="CSV file with rows to send; the first line names the columns."),
    ] = None,
    field: Annotated[
        list[str] | None,
        typer.Option("--field", "-f", metavar="NAME=VALUE", help="Field of a single row. Repeatable."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", metavar="NAME", help="Model to ask, if several are served. Default: the first."),
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option(
            "--header", "-H", metavar="NAME: VALUE", help="HTTP header; $NAME in it is a variable. Repeatable."
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "--out", "-o", metavar="FILE", help="With --csv: write the rows and their predictions to a CSV file."
        ),
    ] = None,
) -> None:
    """Send a prediction request to the deployed app and print the answer.

    Takes JSON, a CSV file or single fields. Without any of them it sends the golden row's request. If the app has no
    route for tables (`app.predict_table`), the rows of a CSV file are sent one after the other.

    If the app requires an access key (`access = "key"`), it is sent, too.

    `--out` writes the rows of the CSV file with their predictions to another one, in batches: for files of any size.

    Examples:
        mldeploy predict
        mldeploy predict --field age=40 --field smoker=no
        mldeploy predict --target fargate --data @request.json
        mldeploy predict --csv rows.csv
        mldeploy predict --header 'X-API-Key: $API_KEY'
        mldeploy predict --csv rows.csv --out predictions.csv
        mldeploy predict --model risk --field age=40
    """
    from mldeploy.app.client import AppClient
    from mldeploy.cli.commands.predict_input import PredictInput, parse_headers, read_request
    from mldeploy.cli.open_deployment import open_for_requests
    from mldeploy.config.access_keys import key_headers

    headers = parse_headers(header or (), os.environ)
    given = PredictInput(data, csv, tuple(field or ()), model)
    deployment = open_for_requests(run, target)
    headers = (*key_headers(deployment.project.app), *headers)
    if out is not None:
        _predict_file(run, deployment, given, headers, out)
        return
    request = read_request(given, deployment.project)
    if request.remark:
        run.output.info(request.remark)
    with reach(deployment, run) as url, AppClient(url, deployment.ca_bundle, headers=headers) as client:
        answer = _send(client, request)
    document = PredictDocument(
        app=deployment.app,
        target=deployment.target,
        url=url + request.path,
        request=request.body,
        answer=answer,
    )
    run.output.result(document, lambda page: print_answer(document.answer, page))


def _predict_file(
    run: CommandRun,
    deployment: AppDeployment,
    given: PredictInput,
    headers: Sequence[tuple[str, Secret]],
    out: str,
) -> None:
    """Predict the rows of a CSV file and write them to another one."""
    from mldeploy.app.client import AppClient
    from mldeploy.cli.commands.predict_batches import BatchRequest, predict_batches
    from mldeploy.cli.commands.predict_route import PredictRoute
    from mldeploy.cli.errors import UsageError
    from mldeploy.core.monitor import CancelledError

    if given.csv is None or given.data is not None or given.fields:
        raise UsageError("--out", "needs the rows of a CSV file", "Example: --csv rows.csv --out predictions.csv")
    request = BatchRequest.of(PredictRoute.of(deployment.project, given.model), given.csv, out)
    with reach(deployment, run) as url, AppClient(url, deployment.ca_bundle, headers=headers) as client:
        try:
            with _show_rows(run, deployment.app) as (report, monitor):
                done = predict_batches(
                    request, lambda prefix, body: _send_one(client, request.path, body, prefix), report, monitor
                )
        except CancelledError as error:
            raise _canceled(out) from error
    document = PredictDocument(
        app=deployment.app,
        target=deployment.target,
        url=url + request.path,
        request=given.csv,
        answer={"rows": done.rows, "file": done.file},
    )
    if done.guess:
        run.output.info(f"{given.csv}: {done.guess}.")
    lines = f"{done.rows:,} rows with their predictions"
    run.output.result(document, lambda page: page.line(f"wrote {done.file}: {lines}"))


def _canceled(out: str) -> MldeployError:
    from mldeploy.core.errors import InterruptedByUser

    return InterruptedByUser("mldeploy predict", f"interrupted. {out} was not written.", "")


@contextmanager
def _show_rows(run: CommandRun, app: str) -> Iterator[tuple[Callable[[int, int], None], Monitor]]:
    """Show the progress of a file that is predicted."""
    import time

    from mldeploy.cli.workspace import show_walk
    from mldeploy.core.events import Action, Failed, Finished, Progress, Started
    from mldeploy.core.monitor import Monitor
    from mldeploy.core.step import Key, Resource

    resource, title = Resource("predictions", Key(app)), "Predict the rows"
    with show_walk(run) as (events, cancel):
        monitor, start = Monitor(resource, events, cancel), time.monotonic()
        events(Started(resource, title))
        try:
            yield (
                lambda done, total: monitor.progress(Progress("", "sending rows", done, total, in_bytes=True)),
                monitor,
            )
        except Exception as error:
            events(Failed(resource, title, error, time.monotonic() - start))
            raise
        events(Finished(resource, title, Action.CREATED, time.monotonic() - start))


@contextmanager
def reach(deployment: AppDeployment, run: CommandRun) -> Iterator[str]:
    """Return a URL for requests from this machine: the app's own, or a tunnel that lasts as long as the context."""
    from mldeploy.providers.capabilities import CanForward

    service = deployment.service
    if isinstance(service, CanForward):
        with service.reach() as url:
            yield url
    else:
        yield deployment.require_url(run)


def _send(client: AppClient, request: PredictRequest) -> Json:
    if request.rows is None:
        return _send_one(client, request.path, request.body)
    return [_send_one(client, request.path, row, f"row {number}: ") for number, row in enumerate(request.rows, start=1)]


def _send_one(client: AppClient, path: str, body: Json, prefix: str = "") -> Json:
    """Send one request. prefix: the beginning of an error message."""
    from mldeploy.app.client import AnswerError, NoAnswerError

    try:
        return client.predict(path, body)
    except NoAnswerError:
        raise
    except AnswerError as error:
        shown = _describe_rejection(error) if 400 <= error.status < 500 else error
        raise AnswerError(shown.where, prefix + shown.what, shown.todo, status=shown.status, line=shown.line) from error


def _describe_rejection(error: AnswerError) -> AnswerError:
    """Extract the app's reason from its JSON: `age: must be between 18 and 64`."""
    from mldeploy.app.client import AnswerError

    try:
        reason = ": ".join(_texts(json.loads(error.line)))
    except (ValueError, RecursionError):
        return error
    what = f"the app rejected the request ({error.status}): {reason}"
    return AnswerError(error.where, what, "Correct the input.", status=error.status, line=error.line)


def _texts(answer: object) -> Iterator[str]:
    if isinstance(answer, dict | list):
        for each in answer.values() if isinstance(answer, dict) else answer:
            yield from _texts(each)
    elif answer is not None:
        yield str(answer)


def print_answer(answer: object, page: Page) -> None:
    """Print an answer: rows as a table, an object as lines, anything else as JSON."""
    table = _as_table(answer)
    if table is not None:
        heads, rows = table
        page.table(heads, [[_cell(value) for value in row] for row in rows])
    elif isinstance(answer, dict) and answer:
        width = max(map(len, answer))
        for name, value in answer.items():
            page.line(f"{name.ljust(width)}  ", (_cell(value), Style.STRONG))
    else:
        page.line(_cell(answer))


def _as_table(answer: object) -> HeadsAndRows | None:
    """Recognize the frameworks' formats for rows: pandas' split, records, a list per column, and a bare list."""
    if isinstance(answer, list):
        return _from_records(answer) or _from_columns({"prediction": answer})
    if not isinstance(answer, dict):
        return None
    heads, rows = answer.get("columns"), answer.get("data")
    if isinstance(heads, list) and isinstance(rows, list) and all(_is_row(row, len(heads)) for row in rows):
        return [_cell(head) for head in heads], rows
    lists = {name: value for name, value in answer.items() if isinstance(value, list)}
    if len(lists) == 1 and (records := _from_records(next(iter(lists.values())))):
        return records
    return _from_columns(lists) if lists else None


def _from_records(items: list[object]) -> HeadsAndRows | None:
    if not items or not all(isinstance(item, dict) for item in items):
        return None
    records = [item for item in items if isinstance(item, dict)]
    heads = list(dict.fromkeys(name for record in records for name in record))
    return heads, [[record.get(name, "") for name in heads] for record in records]


def _from_columns(lists: dict[str, list[object]]) -> HeadsAndRows | None:
    if len({len(values) for values in lists.values()}) != 1:
        return None
    rows: Iterable[tuple[object, ...]] = zip(*lists.values(), strict=True)
    return ["row", *lists], [[number, *row] for number, row in enumerate(rows, start=1)]


def _is_row(row: object, width: int) -> bool:
    return isinstance(row, list) and len(row) == width and width > 0


def _cell(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
