"""How the server runs: metrics over all workers, the prediction log, a model that fails, a model that does not load."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import joblib
import pytest
from prometheus_client.parser import text_string_to_metric_families

from mldeploy_model.schema import Column, ModelSchema
from tests.model_server.serving import ROOT, describe, serving, write_schemas
from tests.model_server.test_request_forms import ROW

MOODS = '''
import sys

class Moody:
    """Fails as its input says."""
    def predict(self, rows):
        for name in rows["mood"]:
            if name == "value":
                raise ValueError("the model is broken")
            if name == "exit":
                sys.exit(3)
            if name == "memory":
                raise MemoryError
            if name == "recursion":
                raise RecursionError
        if "short" in list(rows["mood"]):
            return []
        return [float("nan") if name == "nan" else 1.0 for name in rows["mood"]]
'''


def moody(folder: Path) -> ModelSchema:
    """A model of a class in a module of the folder."""
    (folder / "moods.py").write_text(MOODS)
    made = "import joblib, moods; joblib.dump(moods.Moody(), 'moody.joblib')"
    subprocess.run([sys.executable, "-c", made], cwd=folder, check=True)
    return ModelSchema("moody", "moody.joblib", "sklearn", columns=(Column("mood", "text"),))


def test_metrics_are_the_sum_over_all_workers(models: Path, tmp_path: Path) -> None:
    schema = describe(models, "charges.joblib", "charges.csv")
    with serving(models, [schema], TMPDIR=str(tmp_path)) as server:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: server.post([ROW, {**ROW, "age": 99}]).status_code, range(40)))
        assert answers == [200] * 40
        assert server.post({**ROW, "age": "x"}).status_code == 400
        text = server.get("/metrics").text
        samples = {
            (s.name, *sorted(s.labels.items())): s.value
            for f in text_string_to_metric_families(text)
            for s in f.samples
        }
        model = ("model", "charges")
        assert samples["model_rows_total", model] == 80
        route = ("route", "/predict")
        assert samples["http_requests_total", ("method", "POST"), route, ("status", "200")] == 40
        assert samples["http_requests_total", ("method", "POST"), route, ("status", "400")] == 1
        assert samples["http_request_duration_seconds_count", route] == 41
        assert samples["http_request_duration_seconds_bucket", ("le", "+Inf"), route] == 41
        assert samples["model_input_sum", ("column", "age"), model] == 40 * (40 + 99)
        assert samples["model_input_bucket", ("column", "age"), ("le", "64"), model] == 40
        assert samples["model_input_categories_total", ("category", "west"), ("column", "region"), model] == 80
        assert samples["model_prediction_count", model] == 80
        assert samples["model_warnings_total", ("column", "age"), model] == 40
        killed, _ = server.workers()
        os.kill(killed, 9)
        assert server.metric('model_rows_total{model="charges"}') == 80  # what a dead worker counted still counts


def test_metrics_say_so_where_no_folder_can_be_shared(models: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    schema = describe(models, "charges.joblib", "charges.csv")
    with serving(models, [schema], MLDEPLOY_METRICS_DIR=str(tmp_path / "file" / "folder")) as server:
        assert server.post(ROW).status_code == 200
        assert server.get("/metrics").text.startswith("# These are the numbers of one process alone: ")


def test_predictions_are_logged_only_if_the_rate_says_so(models: Path) -> None:
    silent = describe(models, "charges.joblib", "charges.csv")
    logged = replace(silent, name="logged", log_rate=1.0, version="5")
    with serving(models, [silent, logged]) as server:
        server.post(ROW, x_request_id="silent")
        answer = server.post([ROW, ROW], "/models/logged/predict", x_request_id="loud").json()
        server.get("/health")
    lines = [json.loads(line) for line in server.log().splitlines() if line.startswith("{")]
    assert [(line["request_id"], line["row"], line["inputs"]) for line in lines] == [("loud", 0, ROW), ("loud", 1, ROW)]
    assert [line["prediction"] for line in lines] == answer["predictions"]
    assert {(line["model"], line["model_version"], line["event"]) for line in lines} == {("logged", "5", "prediction")}


def test_a_model_that_fails_is_answered_and_its_worker_goes_on(tmp_path: Path) -> None:
    with serving(tmp_path, [moody(tmp_path)]) as server:
        workers = server.workers()
        for mood, error in {
            "value": "ValueError",
            "exit": "SystemExit",
            "memory": "MemoryError",
            "recursion": "RecursionError",
            "short": "ValueError",
        }.items():
            answer = server.post({"mood": mood}, x_request_id=f"mood-{mood}")
            reason = f"the model failed on this input ({error}); the log says more under mood-{mood}"
            assert (answer.status_code, answer.json()) == (500, {"error": {"field": None, "reason": reason}})
            assert f"request mood-{mood}: the model moody failed" in server.log()
        assert "the model is broken" in server.log()
        assert server.post({"mood": "good"}).json() == {"prediction": 1.0}
        assert server.post({"mood": "nan"}).json()["prediction"] is None
        assert server.workers() == workers


def start_error(folder: Path, schema: ModelSchema) -> str:
    """The last line of a server that does not start."""
    done = subprocess.run(
        [sys.executable, "-c", "from mldeploy_model.server import app"],
        env={**os.environ, "MLDEPLOY_MODELS": str(write_schemas(folder, [schema])), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    return done.stderr.splitlines()[-1]


def test_a_model_that_needs_a_missing_module_says_which(tmp_path: Path) -> None:
    schema = moody(tmp_path)
    (tmp_path / "moods.py").unlink()
    assert "moody.joblib needs the module moods, which is not installed" in start_error(tmp_path, schema)


@pytest.mark.parametrize("cut", [0, 100])
def test_a_model_that_is_cut_off_says_so(cut: int, tmp_path: Path, models: Path) -> None:
    (tmp_path / "cut.joblib").write_bytes((models / "charges.joblib").read_bytes()[:cut])
    error = start_error(tmp_path, ModelSchema("cut", "cut.joblib", "sklearn"))
    assert ("cut.joblib is empty" if not cut else "cut.joblib is no complete pickle") in error


def test_an_object_that_is_no_model_says_what_it_is(tmp_path: Path) -> None:
    joblib.dump([1, 2], tmp_path / "list.joblib")
    error = start_error(tmp_path, ModelSchema("list", "list.joblib", "sklearn"))
    assert "list.joblib has an object of the class list, which has no method predict" in error


def test_importing_the_server_needs_the_standard_library_alone() -> None:
    program = "import sys, mldeploy_model.server.application, mldeploy_model.formats; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"numpy", "pandas", "sklearn", "mldeploy"} & set(done.stdout.split())
