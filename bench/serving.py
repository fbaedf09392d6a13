"""How the contestants' images serve: throughput, latency, start and memory."""

from __future__ import annotations

import math
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from docker import APIClient

from bench.containers import Served, served
from bench.contestants.bentoml import BentoML
from bench.contestants.contestant import Contestant
from bench.contestants.mlflow import MLflow
from bench.contestants.ours import mldeploy
from bench.contestants.tutorials import Tutorials
from bench.engine import Base, fresh, remove
from bench.figures import Figures
from bench.load import load
from bench.stock import STOCK, trained

SECONDS = 4
MANY = 1000
ONE_ROW, ONE_ROW_P99, ONE_ROW_CPU = "1 row, requests/s", "1 row, p99 ms", "1 row, CPU ms a request"
MANY_ROWS, MANY_ROWS_P99, MANY_ROWS_CPU = "1,000 rows, requests/s", "1,000 rows, p99 ms", "1,000 rows, CPU ms a request"
START, PSS, BAD, PREDICTION = "cold start s", "idle PSS MiB", "failed requests", "prediction"
CEILING, WITH_FRAME = "`pipeline.predict` alone", "the same, its DataFrame made each time"


def measure(client: APIClient, rounds: int) -> Figures:
    """Build every contestant's image, then start and ask them in turn."""
    figures = Figures()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        scratch = Path(folder)
        model = trained(scratch)
        ours = stack.enter_context(mldeploy(model, scratch))
        contestants: tuple[Contestant, ...] = (
            ours,
            Tutorials(model, scratch),
            MLflow(model, scratch),
            BentoML(model, scratch),
        )
        base = stack.enter_context(fresh(client, Base.chosen(STOCK)))
        images = _built(client, contestants, base, stack)
        for number in range(rounds):
            for each, image in _turned(list(zip(contestants, images, strict=True)), number):
                sys.stderr.write(f"  round {number + 1} of {rounds}: {each.name}\n")
                _serve(client, each, image, figures)
            _compare(figures, [each.name for each in contestants])
            _ceiling(client, images[0], figures)
    return figures


def _built(client: APIClient, contestants: Sequence[Contestant], base: str, stack: ExitStack) -> list[str]:
    images = []
    for each in contestants:
        sys.stderr.write(f"  building: {each.name}\n")
        images.append(_patiently(each, base))
        stack.callback(remove, client, images[-1])
    return images


def _turned(order: list[tuple[Contestant, str]], number: int) -> list[tuple[Contestant, str]]:
    """Another one first in each round, so that nobody is always measured after the same fellow."""
    first = number % len(order)
    return order[first:] + order[:first]


def _patiently(contestant: Contestant, base: str) -> str:
    """Build, once more if the network spoils it: here it is not timed."""
    try:
        return contestant.build(base)
    except RuntimeError as error:
        sys.stderr.write(f"  once more, since {str(error)[-500:]}\n")
        return contestant.build(base)


def _serve(client: APIClient, contestant: Contestant, image: str, figures: Figures) -> None:
    """One contestant's round. RuntimeError if it does not give one person one prediction."""
    one, many = contestant.ask(1), contestant.ask(MANY)
    with served(client, image, contestant.port, one) as running:
        answers = [running.post(one)[0] for _ in range(20)] + running.post(many)
        if len(answers) != 20 + MANY or not all(math.isclose(answers[0], answer) for answer in answers):
            raise RuntimeError(f"{contestant.name} does not give the same person the same prediction")
        figures.add(PREDICTION, contestant.name, answers[0])
        figures.add(START, contestant.name, running.started)
        figures.add(PSS, contestant.name, _idle_pss(running))
        bad = 0
        for question, rate, p99, cpu in (
            (one, ONE_ROW, ONE_ROW_P99, ONE_ROW_CPU),
            (many, MANY_ROWS, MANY_ROWS_P99, MANY_ROWS_CPU),
        ):
            before = running.cpu()
            requests = load(running.url, question, SECONDS)
            if not requests.requests:
                raise RuntimeError(f"{contestant.name} answered nothing within {SECONDS} s")
            bad += requests.bad
            figures.add(rate, contestant.name, requests.rate)
            figures.add(p99, contestant.name, requests.p99)
            figures.add(cpu, contestant.name, (running.cpu() - before) / requests.requests)
        figures.add(BAD, contestant.name, bad)


def _compare(figures: Figures, names: Sequence[str]) -> None:
    """RuntimeError unless all predict the same: then it would be no comparison."""
    result = {name: values.median for name in names if (values := figures.spread(PREDICTION, name))}
    if not all(math.isclose(value, result[names[0]]) for value in result.values()):
        raise RuntimeError(f"the contestants do not predict the same: {result}")


def _idle_pss(running: Served) -> float:
    """MiB, once all workers have had the time to start: some tools answer before their last one is there."""
    time.sleep(1)
    return running.pss()


def _ceiling(client: APIClient, image: str, figures: Figures) -> None:
    program = Path(__file__).with_name("ceiling.py").read_text()
    for rows, rate in ((1, ONE_ROW), (MANY, MANY_ROWS)):
        command = ["python", "-c", program, str(rows), "1.5"]
        container = client.create_container(image, command)["Id"]
        try:
            client.start(container)
            client.wait(container)
            alone, with_frame = map(float, client.logs(container, stderr=False).split())
        finally:
            client.remove_container(container, force=True)
        figures.add(rate, CEILING, alone)
        figures.add(rate, WITH_FRAME, with_frame)
