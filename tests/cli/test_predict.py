"""`predict`, against a real app that answers what it is sent."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.cli.command import Command

ON_PAPER = ("-t", "paper")
ROW = {"age": 40, "smoker": "no", "bmi": 22.5}


PAGE = (
    "<!doctype html>\n<title>500</title>\n<h1>Error</h1>\n<p>It didn&#39;t <b>work</b>.\nTry again.</p>\n<p>More.</p>"
)


class Echo(BaseHTTPRequestHandler):
    """Answers a table's rows with a number each, one object with itself, and a negative age with a 400."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "page" in body:
            self._reply(500, "text/html; charset=utf-8", PAGE.encode())
        elif self.path == "/predict":
            self._answer(200, {"predictions": list(range(len(body["data"])))})
        elif isinstance(body, dict) and isinstance(body.get("age"), int) and body["age"] < 0:
            self._answer(400, {"field": "age", "reason": "must be from 0"})
        else:
            self._answer(200, {"got": body} if not isinstance(body, dict) else body)

    def _answer(self, status: int, document: object) -> None:
        self._reply(status, "application/json", json.dumps(document).encode())

    def _reply(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the base class
        """Nothing: the test's output is its own."""


@pytest.fixture
def tabular(deployed: Command) -> Command:
    """The same app, said to take tables."""
    return deployed.with_env(MLDEPLOY_APP_PREDICT_TABLE="/predict")


@pytest.fixture
def deployed(paper: Command) -> Iterator[Command]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        command = paper.with_env(MLDEPLOY_TARGET_PAPER_URL=f"http://127.0.0.1:{server.server_port}")
        assert command("deploy", *ON_PAPER).code == 0
        yield command
        server.shutdown()


@pytest.mark.parametrize("how", ["text", "file", "stdin"])
def test_json_as_text_from_a_file_and_from_standard_input(deployed: Command, how: str) -> None:
    (deployed.folder / "row.json").write_text(json.dumps(ROW))
    data = {"text": json.dumps(ROW), "file": "@row.json", "stdin": "-"}[how]
    result = deployed("predict", *ON_PAPER, "--data", data, "--json", stdin=json.dumps(ROW))
    assert result.document["request"] == result.document["answer"] == ROW
    assert str(result.document["url"]).endswith("/predict_api")


def test_fields_are_numbers_where_they_look_like_numbers(deployed: Command) -> None:
    fields = ("-f", "age=40", "-f", "smoker=no", "-f", "bmi=22.5", "-f", "code=007", "-f", "eq=a=b", "-f", "none=")
    result = deployed("predict", *ON_PAPER, *fields, "--json")
    assert result.document["answer"] == {**ROW, "code": "007", "eq": "a=b", "none": None}


def test_one_answer_is_shown_in_lines(deployed: Command) -> None:
    assert deployed("predict", *ON_PAPER, "-f", "age=40", "-f", "smoker=no").out == "age     40\nsmoker  no\n"


def test_a_csv_file_is_a_table_and_so_is_its_answer(tabular: Command) -> None:
    (tabular.folder / "rows.csv").write_text('\ufeffage,smoker\n40,no\n41,"yes, much"\n\n')
    result = tabular("predict", *ON_PAPER, "--csv", "rows.csv", "--json")
    assert result.document["request"] == {"columns": ["age", "smoker"], "data": [[40, "no"], [41, "yes, much"]]}
    assert tabular("predict", *ON_PAPER, "--csv", "rows.csv").out.splitlines() == [
        "row  predictions",
        "1    0",
        "2    1",
    ]


@pytest.mark.parametrize(
    ("content", "encoding"),
    [("age;name\n0,5;1,5 or so\n41;x\n", "utf-8-sig"), ("age\tname\n0.5\t1,5 or so\n41\tx\n", "utf-16")],
)
def test_a_csv_file_is_read_as_spreadsheets_write_it(tabular: Command, content: str, encoding: str) -> None:
    (tabular.folder / "rows.csv").write_text(content, encoding=encoding)
    result = tabular("predict", *ON_PAPER, "--csv", "rows.csv", "--json")
    assert result.document["request"] == {"columns": ["age", "name"], "data": [[0.5, "1,5 or so"], [41, "x"]]}
    written = tabular("predict", *ON_PAPER, "--csv", "rows.csv", "--out", "out.csv")
    assert (tabular.folder / "out.csv").read_text() == 'age,name,prediction\n0.5,"1,5 or so",0\n41,x,1\n'
    for each in (result, written):
        assert ("rows.csv: commas in age are read as decimal points" in each.err) == (";" in content)


TWO_MODELS = """
[app]
name = "{}"
[[model]]
path = "price.onnx"
task = "regression"
columns.age.type = "integer"
[[model]]
path = "risk.onnx"
task = "regression"
columns.age.type = "text"
"""


def test_of_several_models_one_is_asked(deployed: Command, name: str) -> None:
    (deployed.folder / "mldeploy.toml").write_text(TWO_MODELS.format(name))
    asked = deployed("predict", *ON_PAPER, "--model", "risk", "--field", "age=40", "--json").document
    assert (str(asked["url"]).partition("/models/")[2], asked["request"]) == ("risk/predict", {"age": "40"})
    first = deployed("predict", *ON_PAPER, "--field", "age=40", "--json").document
    assert (str(first["url"]).partition("/models/")[2], first["request"]) == ("price/predict", {"age": 40})
    assert "there is no model rsk; did you mean risk?" in deployed("predict", *ON_PAPER, "--model", "rsk").err


def test_an_app_with_code_has_no_models_to_ask(deployed: Command) -> None:
    assert "the app loads its models itself" in deployed("predict", *ON_PAPER, "--model", "a", "-f", "a=1").err


def test_json_with_columns_and_data_is_a_table_too(tabular: Command) -> None:
    result = tabular("predict", *ON_PAPER, "--data", '{"columns": ["age"], "data": [[1], [2]]}', "--json")
    assert result.document["answer"] == {"predictions": [0, 1]}


def test_an_app_that_takes_no_table_gets_the_rows_one_by_one(deployed: Command) -> None:
    rows = deployed.folder / "rows.csv"
    rows.write_text("age,smoker\n40,no\n41,yes\n")
    result = deployed("predict", *ON_PAPER, "--csv", "rows.csv", "--json")
    assert result.document["request"] == result.document["answer"]
    assert result.document["answer"] == [{"age": 40, "smoker": "no"}, {"age": 41, "smoker": "yes"}]
    assert str(result.document["url"]).endswith("/predict_api")
    assert deployed("predict", *ON_PAPER, "--csv", "rows.csv").out.splitlines()[1].split() == ["40", "no"]
    rows.write_text("age,smoker\n40,no\n-1,yes\n")
    assert (
        "row 2: the app rejected the request (400): age: must"
        in deployed("predict", *ON_PAPER, "--csv", "rows.csv").err
    )


def test_of_an_error_page_the_text_is_told(deployed: Command) -> None:
    error = deployed("predict", *ON_PAPER, "-f", "page=1").err
    assert "answers 500 Internal Server Error: It didn't work. Try again." in error


def test_with_nothing_to_send_it_sends_the_golden_row(deployed: Command) -> None:
    assert "there is no input" in deployed("predict", *ON_PAPER).err
    golden = {"path": "/predict_api", "request": ROW, "expect": {}}
    (deployed.folder / "golden.json").write_text(json.dumps(golden))
    with (deployed.folder / "mldeploy.toml").open("a") as toml:
        toml.write('[check]\ngolden = "golden.json"\n')
    result = deployed("predict", *ON_PAPER)
    assert "golden row" in result.err
    assert deployed("predict", *ON_PAPER, "--json").document["answer"] == ROW


def test_what_the_app_refuses_is_said_in_its_words(deployed: Command) -> None:
    result = deployed("predict", *ON_PAPER, "-f", "age=-1", "--json")
    assert result.code == 7
    assert "400" in str(result.error["what"])
    assert "age" in str(result.error["what"])
    assert "must be from 0" in str(result.error["what"])


def test_an_app_that_does_not_answer(paper: Command) -> None:
    assert "does not run" in paper("predict", *ON_PAPER, "-f", "a=1").err
    paper("deploy", *ON_PAPER)
    result = paper("predict", *ON_PAPER, "-f", "a=1", "--json")
    assert result.code == 7
    assert result.error["what"] == "nothing accepts connections there"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--data", "{"), "line 1, column 2"),
        (("--data", "@missing.json"), "missing.json"),
        (("--data", "[" * 100_000), "--data"),
        (("--csv", "missing.csv"), "missing.csv"),
        (("--csv", "empty.csv"), "contains no rows"),
        (("--csv", "ragged.csv"), "row 3 has 1 values"),
        (("--csv", "binary.csv"), "contains no rows"),
        (("--csv", "long.csv"), "is no CSV file: field larger than field limit"),
        (("--csv", "latin.csv"), 'is not UTF-8 text (line 2; as Windows-1252 it reads "Köln")'),
        (("--csv", "latin.csv", "--out", "out.csv"), "iconv -f WINDOWS-1252 -t UTF-8 latin.csv"),
        (("--field", "age"), "NAME=VALUE"),
        (("--field", "a=1", "--data", "{}"), "cannot be combined"),
    ],
)
def test_input_that_cannot_be_sent(paper: Command, arguments: tuple[str, ...], message: str) -> None:
    files = {
        "empty": b"a,b\n",
        "ragged": b"a,b\n1,2\n1\n",
        "binary": b"\xff\xfe",
        "latin": b"a\nK\xf6ln\n",
        "long": b"a\n" + b"x" * 10**7,
    }
    for name, content in files.items():
        Path(paper.folder / f"{name}.csv").write_bytes(content)
    result = paper("predict", *ON_PAPER, *arguments, "--json")
    assert result.code == 2
    assert message in f"{result.error['where']} {result.error['what']} {result.error['todo']}"


def test_a_file_of_any_size_is_predicted_in_batches_into_another_one(tabular: Command) -> None:
    rows = "".join(f"{age},no\n" for age in range(2500))
    (tabular.folder / "rows.csv").write_text(f"age,smoker\n{rows}")
    result = tabular("predict", *ON_PAPER, "--csv", "rows.csv", "--out", "out.csv", "--json")
    assert result.document["answer"] == {"rows": 2500, "file": "out.csv"}
    lines = (tabular.folder / "out.csv").read_text().splitlines()
    assert lines[:2] == ["age,smoker,prediction", "0,no,0"]
    assert lines[-1] == "2499,no,499"  # the app numbers each request's rows: the third batch has 500
    assert sorted(path.name for path in tabular.folder.glob("*out*")) == ["out.csv"]


def test_without_a_route_for_tables_each_row_is_a_request_of_its_own(deployed: Command) -> None:
    (deployed.folder / "rows.csv").write_text("age,smoker\n40,no\n41,yes\n")
    result = deployed("predict", *ON_PAPER, "--csv", "rows.csv", "-o", "out.csv")
    assert (result.code, result.out) == (0, "wrote out.csv: 2 rows with their predictions\n")
    assert (deployed.folder / "out.csv").read_text() == (
        "age,smoker,predicted_age,predicted_smoker\n40,no,40,no\n41,yes,41,yes\n"
    )


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("age,smoker\n40,no\n41\n", "rows.csv: line 3 has 1 values for 2 columns"),
        ("age\n40\n-1\n", "line 3: the app rejected the request (400): age: must be from 0"),
        ("age\n", "rows.csv: contains no rows"),
        ("", "rows.csv: contains no rows"),
    ],
)
def test_a_bad_row_is_named_and_the_old_file_stays(deployed: Command, rows: str, message: str) -> None:
    (deployed.folder / "rows.csv").write_text(rows)
    (deployed.folder / "out.csv").write_text("old")
    result = deployed("predict", *ON_PAPER, "--csv", "rows.csv", "--out", "out.csv")
    assert result.code != 0
    assert message in result.err
    assert (deployed.folder / "out.csv").read_text() == "old"


def test_the_output_needs_a_csv_file_that_is_not_itself(deployed: Command) -> None:
    (deployed.folder / "rows.csv").write_text("age\n40\n")
    for arguments in (("--data", "{}"), (), ("--csv", "rows.csv")):
        result = deployed("predict", *ON_PAPER, *arguments, "--out", "rows.csv")
        assert result.code == 2
        assert "--out" in result.err
    assert (deployed.folder / "rows.csv").read_text() == "age\n40\n"
