"""The app as it is deployed: behind a server with two forked workers that share one preloaded model."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import requests
from served import PERSON, Server

import train
from generate import generate

Serve = Callable[..., Server]


def predict_often(server: Server, times: int) -> None:
    with ThreadPoolExecutor(8) as pool:
        statuses = {answer.status_code for answer in pool.map(lambda _: server.predict(), range(times))}
    assert statuses == {200}


def test_metrics_add_up_over_the_workers(serve: Serve, tmp_path: Path) -> None:
    server = serve(PROMETHEUS_MULTIPROC_DIR=str(tmp_path / "metrics"))
    predicted = 0
    while len(list((tmp_path / "metrics").glob("counter_*.db"))) < 2:  # until both workers have counted
        predict_often(server, 100)
        predicted += 100
    assert server.predict(age=17).status_code == 400
    for _ in range(10):  # whichever worker answers
        assert server.counted('predictions_total{endpoint="/predict_api"}') == predicted
        ok = 'http_requests_total{endpoint="/predict_api",method="POST",status="200"}'
        assert server.counted(ok) == predicted
        assert server.counted(ok.replace("200", "400")) == 1
        assert server.counted('http_request_duration_seconds_count{endpoint="/predict_api"}') == predicted + 1


def test_a_table_counts_its_rows_and_a_made_up_path_no_label(serve: Serve) -> None:
    server = serve()
    table = {"columns": list(PERSON), "data": [list(PERSON.values())] * 3}
    assert requests.post(f"{server.url}/predict", json=table, timeout=120).status_code == 200
    assert requests.request("BREW", f"{server.url}/made-up", timeout=120).status_code == 404
    assert server.counted('predictions_total{endpoint="/predict"}') == 3
    assert server.counted('http_requests_total{endpoint="none",method="other",status="404"}') == 1


def test_what_a_dead_worker_counted_still_counts(serve: Serve) -> None:
    server = serve()
    predict_often(server, 50)
    os.kill(server.workers()[0], signal.SIGKILL)
    predict_often(server, 50)
    assert server.counted('predictions_total{endpoint="/predict_api"}') == 100


def test_without_a_folder_given_metrics_add_up_all_the_same_and_leave_nothing(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    predict_often(server, 60)
    assert server.counted('predictions_total{endpoint="/predict_api"}') == 60
    assert list(tmp_path.glob("insurance-metrics-*"))
    server.stop()
    assert not list(tmp_path.glob("insurance-metrics-*"))


def test_where_no_folder_can_be_written_the_app_serves_and_says_so(serve: Serve) -> None:
    server = serve(PROMETHEUS_MULTIPROC_DIR="/proc/nowhere")
    assert server.predict().status_code == 200
    assert "http_requests_total" in requests.get(f"{server.url}/metrics", timeout=120).text
    warnings = [line for line in server.stop() if line["level"] == "warning"]
    assert "each process counts for itself alone" in str(warnings[0]["message"])


def test_every_request_is_one_line_of_json(serve: Serve) -> None:
    server = serve()
    headers = {"X-Request-ID": "my-id"}
    requests.post(f"{server.url}/predict_api?name=Jane", json=PERSON, headers=headers, timeout=120)
    requests.get(f"{server.url}/no%0Asuch/path", timeout=120)
    lines = [line for line in server.stop() if line["message"] == "request"]
    assert [(line["method"], line["path"], line["status"]) for line in lines] == [
        ("POST", "/predict_api", 200),
        ("GET", "/no\nsuch/path", 404),
    ]
    assert lines[0]["request_id"] == "my-id"
    assert lines[0]["level"] == "info"
    assert 0 < float(str(lines[0]["duration_ms"])) < 120_000
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", str(lines[0]["timestamp"]))
    assert "Jane" not in json.dumps(lines), "what somebody sends is not logged"


def test_lines_of_two_workers_do_not_mix(serve: Serve) -> None:
    server = serve()
    predict_often(server, 200)
    lines = [line for line in server.stop() if line["message"] == "request"]
    assert len(lines) == 200
    assert {line["status"] for line in lines} == {200}


@pytest.fixture
def flawed(serve: Serve, tmp_path: Path) -> Server:
    """An app with a fault of its own: its model has never heard of the southwest, which the schema lets pass."""
    table = generate()
    trained = train.train(table[table["region"] != "southwest"], "three regions", seed=0)
    trained.model.save(tmp_path / "flawed.joblib")
    return serve(MODEL_PATH=str(tmp_path / "flawed.joblib"))


@pytest.mark.parametrize("accepted", ["application/json", "text/html"])
def test_the_apps_own_fault_is_told_to_the_log_and_not_to_the_client(flawed: Server, accepted: str) -> None:
    headers = {"Accept": accepted, "X-Request-ID": "the-culprit"}
    person = {**PERSON, "region": "southwest"}
    answer = requests.post(f"{flawed.url}/predict_api", json=person, headers=headers, timeout=120)
    assert answer.status_code == 500
    assert answer.headers["Content-Type"].startswith(accepted)
    assert answer.headers["X-Request-ID"] == "the-culprit"
    assert not re.search("Traceback|ValueError|southwest|unknown categories", answer.text)
    assert flawed.predict().status_code == 200, "the next request is answered"
    errors = [line for line in flawed.stop() if line["level"] == "error"]
    assert [line["request_id"] for line in errors] == ["the-culprit"]
    assert "ValueError: Found unknown categories" in str(errors[0]["exception"])


def test_a_body_of_unstated_length_is_read_and_refused_where_it_is_too_long(server: Server) -> None:
    body = json.dumps(PERSON).encode()
    assert status_of_chunks(server, iter([body[:20], body[20:]])) == 200
    assert status_of_chunks(server, iter([body, b" " * 1024 * 1024])) == 413


def status_of_chunks(server: Server, chunks: Iterator[bytes]) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    try:
        with suppress(ConnectionError):  # a server that refuses the body need not wait for its end
            connection.request(
                "POST", "/predict_api", chunks, {"Content-Type": "application/json"}, encode_chunked=True
            )
        return connection.getresponse().status
    finally:
        connection.close()


def test_started_by_hand_it_serves_this_machine_alone(trained: Path, tmp_path: Path) -> None:
    """`python app.py` asks the system for a free port here; it says which it got."""
    environment = {**os.environ, "MODEL_PATH": str(trained / "model.joblib"), "PORT": "0", "TMPDIR": str(tmp_path)}
    environment.pop("PROMETHEUS_MULTIPROC_DIR", None)
    app = Path(__file__).parents[1]
    with subprocess.Popen(
        [sys.executable, "app.py"],
        cwd=app,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout
        try:
            said = next(line for line in process.stdout if "Running on" in line)
            address = re.search(r"http://(127\.0\.0\.1:\d+)", said)
            assert address
            assert requests.get(f"http://{address[1]}/health", timeout=120).json()["status"] == "ok"
        finally:
            process.terminate()
