"""A page in a browser reaches nothing of a rehearsal, whatever name it lets resolve to this machine."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import psutil
import pytest
import requests

from mldeploy.rehearsal.aws import Rehearsal
from mldeploy.rehearsal.gateway.proxy import TOKEN
from tests.rehearsal.clients import Clients

REBOUND = ["evil.example", "evil.example:4566", "127.0.0.1:4566", "localhost:4566", "", "127.0.0.1.evil.example", "["]


def answer(address: str, *lines: str) -> int:
    """The status of a raw HTTP request."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=120) as client:
        client.sendall("\r\n".join((*lines, "Connection: close", "", "")).encode())
        with client.makefile("rb") as answered:
            return int(answered.readline().split()[1])


@pytest.mark.parametrize("host", REBOUND)
@pytest.mark.parametrize("path", ["/", "/rehearsal/calls"])
def test_a_request_that_names_another_host_is_refused(rehearsal: Rehearsal, host: str, path: str) -> None:
    record = rehearsal.record
    address = urlsplit(record.url).netloc
    assert answer(address, f"GET {path} HTTP/1.1", f"Host: {host}", f"{TOKEN}: {record.token}") == 421


@pytest.mark.parametrize("host", REBOUND)
def test_the_registry_knows_no_other_name(rehearsal: Rehearsal, host: str) -> None:
    assert answer(rehearsal.record.registry, "GET /v2/ HTTP/1.1", f"Host: {host}") == 421


def test_neither_two_names_nor_none_nor_a_name_in_the_target_pass(rehearsal: Rehearsal) -> None:
    address, token = urlsplit(rehearsal.record.url).netloc, f"{TOKEN}: {rehearsal.record.token}"
    path = "/rehearsal/calls"
    assert answer(address, f"GET {path} HTTP/1.1", f"Host: {address}", "Host: evil.example", token) == 421
    assert answer(address, f"GET {path} HTTP/1.1", token) == 421
    assert answer(address, f"GET http://evil.example{path} HTTP/1.1", f"Host: {address}", token) == 421
    assert answer(address, f"GET {path} HTTP/1.1", f"Host: {address}", token) == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:4566"])
def test_a_page_of_another_origin_gives_no_orders(rehearsal: Rehearsal, origin: str) -> None:
    headers = {TOKEN: rehearsal.record.token, "Origin": origin}
    assert requests.post(f"{rehearsal.record.url}/rehearsal/reset", headers=headers, timeout=120).status_code == 403


def test_the_registry_behind_the_door_listens_on_no_port(rehearsal: Rehearsal, aws: Clients) -> None:
    aws.ecr.create_repository(repositoryName="hidden")
    (behind,) = [
        process
        for each in rehearsal.record.processes
        if (process := each.find()) and "python" not in process.name().lower()
    ]
    listening = [each for each in psutil.net_connections("inet") if each.pid == behind.pid and each.status == "LISTEN"]
    assert listening == []


def test_the_door_lists_no_repositories_to_strangers(rehearsal: Rehearsal) -> None:
    url = f"http://{rehearsal.record.registry}/v2/_catalog"
    assert requests.get(url, timeout=120).status_code == 401
