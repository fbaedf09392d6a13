"""As much of a user's Dockerfile as we have to understand."""

from __future__ import annotations

import io
from contextlib import suppress

import pytest
from docker.errors import APIError

from mldeploy.image.dockerfile import bases, label, labelled
from mldeploy.image.engine import Engine
from mldeploy.project.detect.starts.dockerfile import read_stages
from mldeploy.project.detect.starts.dockerfile_syntax import parse_instructions
from tests.image.dockerfile_corpus import make_dockerfile, shown_by_inspect


@pytest.mark.parametrize(
    ("text", "args", "expected"),
    [
        ("FROM python:3.11", {}, ("python:3.11",)),
        ("from python:3.11 as first\nFROM first", {}, ("python:3.11",)),
        ("FROM scratch\nCOPY a b", {}, ()),
        ("FROM python:3.11 AS unused\nFROM busybox", {}, ("busybox",)),
        ("FROM --platform=$BUILDPLATFORM golang AS a\nFROM busybox\nCOPY --from=a /x /", {}, ("busybox",)),
        ("FROM --platform=linux/amd64 python:3.11", {}, ("python:3.11",)),
        ("FROM --platform=linux/s390x python:3.11", {}, ()),
        ("FROM b:$TARGETARCH", {}, ("b:amd64",)),
        ("ARG A=x B=y\nFROM $A:$B", {}, ("x:y",)),
        ("ARG R=m/python\nARG B=${R}:${T:-3.11-slim}\nFROM ${B}", {}, ("m/python:3.11-slim",)),
        ("ARG R=x\nFROM ${R:+${R}/}python:3.10", {}, ("x/python:3.10",)),
        ("ARG R\nFROM ${R:+${R}/}python:3.10", {}, ("python:3.10",)),
        ("FROM\tpython:3.11\nRUN python <<EOF\nfrom json import dumps\nEOF\nEXPOSE 1", {}, ("python:3.11",)),
        ("\ufeffFROM python:3.11", {}, ("python:3.11",)),
        ("FROM python:3.11\nRUN --mount=type=bind,from=tools:1,target=/t true", {}, ("python:3.11", "tools:1")),
        ("ARG UNKNOWN\nFROM python:$UNKNOWN", {}, ()),
        ("ARG V=3.11\nFROM python:${V}-slim", {}, ("python:3.11-slim",)),
        ("ARG V=3.11\nFROM python:$V", {"V": "3.13"}, ("python:3.13",)),
        ('ARG I="python:3"\nFROM "$I"', {}, ("python:3",)),
        ("ARG V\nFROM python:${V:-3.12}", {}, ("python:3.12",)),
        ("ARG V\nFROM python:3${V:+-slim}", {"V": "yes"}, ("python:3-slim",)),
        ("FROM a AS one\nARG V=b\nFROM $V", {}, ()),
        ("# FROM nothing\nFROM \\\n  # or this\n\n  python:3.11 \\\n AS x", {}, ("python:3.11",)),
        ("# escape=`\nFROM `\n  python:3.11", {}, ("python:3.11",)),
        (
            "FROM a AS one\nFROM b\nCOPY --from=one /x /\nCOPY --chown=1 --from=c:1 /x /\nCOPY --from=0 /y /",
            {},
            ("a", "b", "c:1"),
        ),
        ("RUN echo 'FROM x'\nFROM y", {}, ("y",)),
    ],
)
def test_the_images_that_it_starts_from(text: str, args: dict[str, str], expected: tuple[str, ...]) -> None:
    assert bases(text, args, "linux/amd64") == expected


def test_every_stage_is_labelled_and_the_last_one_more() -> None:
    text = "FROM a \\\n AS one\nRUN true\nFROM b\nCMD x"
    assert labelled(text, {"who": "me"}, {"hash": "1"}).splitlines() == [
        "FROM a \\",
        " AS one",
        'LABEL who="me"',
        "RUN true",
        "FROM b",
        'LABEL who="me"',
        "CMD x",
        'LABEL hash="1"',
    ]


HEREDOCS = """# syntax=docker/dockerfile:1
FROM a
RUN python - <<EOF && cat <<-"END" <<'x y'
FROM json import dumps
EXPOSE 1
EOF
\tCMD not this
\tEND
LABEL no=1
x y
COPY <<one <<two /here/
ENV A=1
one
two
RUN echo $((1<<2)) a<<b <<<here
EXPOSE 9000
"""


def test_a_heredoc_is_no_instruction_and_no_label_is_written_into_it() -> None:
    assert [each.keyword for each in parse_instructions(HEREDOCS)] == ["FROM", "RUN", "COPY", "RUN", "EXPOSE"]
    lines = labelled(HEREDOCS, {"who": "me"}, {"hash": "1"}).splitlines()
    assert [line for line in lines if "who" not in line and "hash" not in line] == HEREDOCS.splitlines()
    assert (lines.index('LABEL who="me"'), lines[-1]) == (2, 'LABEL hash="1"')


@pytest.mark.parametrize("end", ["CMD gunicorn \\\n", "RUN <<EOF\nnothing ends it\n", "CMD x \\\n# and\n\n"])
def test_a_file_that_ends_within_an_instruction_is_labelled_before_it(end: str) -> None:
    lines = labelled(f"FROM a\nENV A=1\n{end}", {}, {"hash": "1"})
    assert lines == f'FROM a\nLABEL \nENV A=1\nLABEL hash="1"\n{end}'


def test_nothing_in_a_labels_value_is_read_as_dockerfile() -> None:
    assert label({"a": 'say "$HOME"\\', "b": "two\nlines"}) == 'LABEL a="say \\"\\$HOME\\"\\\\" b="two lines"'


def test_instructions_on_several_lines_are_one() -> None:
    result = list(parse_instructions("FROM a\n\nRUN one && \\\n# why\n  two\n"))
    assert [(each.keyword, each.rest, each.line, each.end) for each in result] == [
        ("FROM", "a", 1, 1),
        ("RUN", "one &&   two", 3, 5),
    ]


def _inspect_built(engine: Engine, text: str) -> dict[str, object] | None:
    """The configuration of the image of a Dockerfile, as `docker inspect` shows it; None if the engine refuses it."""
    events = list(engine.client.build(fileobj=io.BytesIO(text.encode()), rm=True, forcerm=True, decode=True))
    if any("error" in each for each in events):
        return None
    image = [each["aux"]["ID"] for each in events if "ID" in each.get("aux", {})][-1]
    config = engine.client.inspect_image(image)["Config"]
    with suppress(APIError):  # a stage of another image
        engine.client.remove_image(image, force=True)
    pairs = (each.partition("=") for each in config["Env"] or [])
    return {
        "Env": {name: value for name, _, value in pairs if name != "PATH"},
        "ExposedPorts": set(config.get("ExposedPorts") or {}),
        "WorkingDir": config["WorkingDir"],
        "User": config["User"],
        "Entrypoint": config["Entrypoint"] or [],
        "Cmd": config["Cmd"] or [],
    }


def _check_against_engine(engine: Engine, seeds: range) -> None:
    built = 0
    for text in map(make_dockerfile, seeds):
        shown = _inspect_built(engine, text)
        built += shown is not None
        assert shown in (None, shown_by_inspect(read_stages(text)[-1])), text
    assert built > len(seeds) / 2


@pytest.mark.engine
def test_a_dockerfile_sets_what_the_engine_shows_of_its_image(engine: Engine) -> None:
    _check_against_engine(engine, range(3))


@pytest.mark.engine
@pytest.mark.exhaustive
def test_many_dockerfiles_set_what_the_engine_shows_of_their_images(engine: Engine) -> None:
    _check_against_engine(engine, range(3, 80))
