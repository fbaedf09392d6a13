"""As much of a user's Dockerfile as we have to understand."""

from __future__ import annotations

import pytest

from mldeploy.image.dockerfile import bases, label, labelled
from mldeploy.project.dockerfile import instructions


@pytest.mark.parametrize(
    ("text", "args", "expected"),
    [
        ("FROM python:3.11", {}, ("python:3.11",)),
        ("from python:3.11 as first\nFROM first", {}, ("python:3.11",)),
        ("FROM scratch\nCOPY a b", {}, ()),
        ("FROM --platform=linux/amd64 python:3.11 AS a\nFROM busybox", {}, ("python:3.11", "busybox")),
        ("ARG V=3.11\nFROM python:${V}-slim", {}, ("python:3.11-slim",)),
        ("ARG V=3.11\nFROM python:$V", {"V": "3.13"}, ("python:3.13",)),
        ('ARG I="python:3"\nFROM "$I"', {}, ("python:3",)),
        ("ARG V\nFROM python:${V:-3.12}", {}, ("python:3.12",)),
        ("ARG V\nFROM python:3${V:+-slim}", {"V": "yes"}, ("python:3-slim",)),
        ("FROM a AS one\nARG V=b\nFROM $V", {}, ("a",)),
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
    assert bases(text, args) == expected


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


def test_nothing_in_a_labels_value_is_read_as_dockerfile() -> None:
    assert label({"a": 'say "$HOME"\\', "b": "two\nlines"}) == 'LABEL a="say \\"\\$HOME\\"\\\\" b="two lines"'


def test_instructions_on_several_lines_are_one() -> None:
    found = list(instructions("FROM a\n\nRUN one && \\\n# why\n  two\n"))
    assert [(each.keyword, each.rest, each.line, each.end) for each in found] == [
        ("FROM", "a", 1, 1),
        ("RUN", "one && two", 3, 5),
    ]
