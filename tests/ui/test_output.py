"""Results, errors and questions on streams."""

from __future__ import annotations

import io
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from mldeploy.cli.commands.about import VersionDocument
from mldeploy.cli.commands.predict import PredictDocument
from mldeploy.ui.documents import ErrorDetails, ErrorDocument
from mldeploy.ui.output import Output, OutputMode, encode_document

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def refuse(constant: str) -> object:
    raise AssertionError(f"{constant} is no JSON")


@settings(deadline=None)  # a busy machine is no failure
@given(JSON)
def test_whatever_an_app_answers_is_one_document_that_every_reader_understands(answer: object) -> None:
    written = encode_document(PredictDocument("tiny", "local", "http://127.0.0.1:5000/predict", None, answer))
    assert written.isascii()
    assert written.endswith("}\n")
    document = json.loads(written, parse_constant=refuse)
    assert list(document) == ["app", "target", "url", "request", "answer"]


def test_what_json_has_no_number_for_is_null() -> None:
    written = encode_document(PredictDocument("tiny", "local", "", None, {"a": [float("nan"), float("-inf"), 1.5]}))
    assert json.loads(written)["answer"] == {"a": [None, None, 1.5]}


def streams(mode: OutputMode, typed: str = "") -> tuple[Output, io.StringIO, io.StringIO]:
    out, err = io.StringIO(), io.StringIO()
    return Output(mode, io.StringIO(typed), out, err), out, err


def test_an_error_says_where_what_and_what_to_do_on_stderr() -> None:
    output, out, err = streams(OutputMode())
    output.error(ErrorDetails(3, "CONFIG", "mldeploy.toml: app.prot", "unknown key", "Did you mean app.port?"))
    assert out.getvalue() == ""
    assert err.getvalue() == "error: mldeploy.toml: app.prot: unknown key\n  Did you mean app.port?\n"


def test_an_error_is_also_the_one_document() -> None:
    output, out, err = streams(OutputMode(json=True))
    problem = ErrorDetails(3, "CONFIG", "mldeploy.toml", "bad", "", "/tmp/log")
    output.error(problem)
    assert out.getvalue() == encode_document(ErrorDocument(problem))
    assert "error: mldeploy.toml: bad" in err.getvalue()


def test_talk_goes_to_stderr_and_can_be_done_without() -> None:
    for mode, talk in ((OutputMode(), "hello\n"), (OutputMode(json=True), "hello\n"), (OutputMode(quiet=True), "")):
        output, out, err = streams(mode)
        output.info("hello")
        assert (out.getvalue(), err.getvalue()) == ("", talk)


def test_a_result_is_text_or_its_document() -> None:
    document = VersionDocument("1.2", "3.11")
    for mode, expected in ((OutputMode(), "text\n"), (OutputMode(json=True), encode_document(document))):
        output, out, _ = streams(mode)
        output.result(document, lambda page: page.line("text"))
        assert out.getvalue() == expected


def test_tables_in_a_pipe_are_aligned_and_nothing_is_cut_off() -> None:
    output, out, _ = streams(OutputMode())
    wide = "x" * 300
    output.result(VersionDocument("", ""), lambda page: page.table(("NAME", "STATE"), [(wide, "up"), ("a", "")]))
    assert out.getvalue().splitlines() == [f"{'NAME':300}  STATE", f"{wide}  up", f"{'a':300}  -"]


def test_answers_to_a_question() -> None:
    for typed, default, expected in (
        ("\n", True, True),
        ("\n", False, False),
        ("y\n", False, True),
        ("NO\n", True, False),
        ("what\nyes\n", False, True),
        ("", True, False),
    ):
        output, _, err = streams(OutputMode(), typed)
        assert output.confirm("Really?", default=default) is expected
        assert err.getvalue().startswith("Really? [Y/n]" if default else "Really? [y/N]")
