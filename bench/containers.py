"""A container that is measured: when it first answers, what memory and processor time it takes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil
import requests
from docker import APIClient

from bench.contestants.contestant import Question

PATIENCE = 120.0


@dataclass(frozen=True)
class Served:
    """A running container that has answered. started: seconds from its start to the first good answer."""

    client: APIClient
    container: str
    url: str
    started: float

    def post(self, question: Question) -> list[float]:
        """One answer's predictions."""
        return predictions(self.url, question, 30)

    def cpu(self) -> float:
        """Milliseconds of processor time that it has used so far."""
        messages = self.client.stats(self.container, stream=False, one_shot=True)
        return float(messages["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e6

    def pss(self) -> float:
        """MiB that its processes take, what they share divided among them (proportional set size)."""
        top = psutil.Process(self.client.inspect_container(self.container)["State"]["Pid"])
        return sum(each.memory_full_info().pss for each in (top, *top.children(recursive=True))) / 2**20


@contextmanager
def served(client: APIClient, image: str, port: int, first: Question, command: str | None = None) -> Iterator[Served]:
    """Start an image and wait for its first good answer; gone afterwards. RuntimeError with its log if none comes."""
    limits = client.create_host_config(port_bindings={port: ("127.0.0.1", None)})
    container = client.create_container(image, command, ports=[port], host_config=limits)["Id"]
    try:
        begun = time.monotonic()
        client.start(container)
        published = client.inspect_container(container)["NetworkSettings"]["Ports"][f"{port}/tcp"]
        url = f"http://127.0.0.1:{published[0]['HostPort']}"
        while not _answers(url, first):
            if time.monotonic() - begun > PATIENCE:
                log = client.logs(container, tail=20).decode(errors="replace")
                raise RuntimeError(f"{image} gave no good answer within {PATIENCE:g} s:\n{log}")
            time.sleep(0.01)
        yield Served(client, container, url, time.monotonic() - begun)
    finally:
        client.remove_container(container, force=True, v=True)


def predictions(url: str, question: Question, patience: float) -> list[float]:
    """Ask; requests.RequestException if it does not answer well."""
    headers = {"Content-Type": "application/json"}
    answer = requests.post(f"{url}{question.path}", data=question.body, headers=headers, timeout=patience)
    answer.raise_for_status()
    result: list[float] = answer.json()["predictions"]
    return result


def _answers(url: str, first: Question) -> bool:
    try:
        return bool(predictions(url, first, 5))
    except requests.RequestException:
        return False
