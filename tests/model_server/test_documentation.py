"""The interface describes itself: OpenAPI 3.1 whose examples work, and a page without anything from elsewhere."""

import re
import shlex
import subprocess
from html import unescape
from typing import Any

from openapi_spec_validator import validate

from tests.model_server.serving import ModelServer


def bodies(content: dict[str, Any]) -> list[Any]:
    if "example" in content:
        return [content["example"]]
    return [example["value"] for example in content.get("examples", {}).values()]


def test_openapi_is_valid_and_each_of_its_examples_is_answered(model_server: ModelServer) -> None:
    document = model_server.get("/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    validate(document)
    sent = 0
    for path, operations in document["paths"].items():
        if "get" in operations:
            assert model_server.get(path).status_code == 200, path
        for kind, content in operations.get("post", {}).get("requestBody", {}).get("content", {}).items():
            for body in bodies(content):
                answer = model_server.post(body, path, content_type=kind)
                assert answer.status_code == 200, (path, body, answer.text)
                sent += 1
    assert sent == 3 * 8 + 2


def test_the_columns_are_in_the_schema_of_a_row(model_server: ModelServer) -> None:
    schemas = model_server.get("/openapi.json").json()["components"]["schemas"]
    row = schemas["chargesRow"]
    assert row["required"] == ["age", "bmi", "smoker", "region"]
    assert row["properties"]["smoker"]["enum"] == ["no", "yes"]
    assert "18 to 64" in row["properties"]["age"]["description"]
    assert schemas["smokesRow"]["required"] == []


def test_each_command_on_the_docs_page_works_as_it_is(model_server: ModelServer) -> None:
    page = model_server.get("/docs").text
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", page)
    commands = [unescape(text) for text in re.findall(r"<pre>(curl .*?)</pre>", page, re.DOTALL)]
    assert len(commands) == 2 * 9
    for command in commands[:9]:
        done = subprocess.run([*shlex.split(command), "--silent", "--fail"], capture_output=True, text=True, check=True)
        assert "predict" in done.stdout


def test_health_names_the_models(model_server: ModelServer) -> None:
    answer = model_server.get("/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "models": {"charges": "3", "smokes": None}})
