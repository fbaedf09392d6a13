"""Events as plain lines."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import threading
import time

import pytest

from mldeploy.core.events import Action, Event, Failed, Finished, Progress, Progressed, Started
from mldeploy.core.step import Key, Resource
from mldeploy.ui import plain
from mldeploy.ui.plain import OutputStream, PlainLines

IMAGE = Resource("image", Key("tiny"))


def lines(*arguments: str) -> list[str]:
    done = subprocess.run(
        (sys.executable, "-m", "tests.ui.walking", *arguments), input="\n", capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_a_pipe_gets_a_line_for_each_start_and_each_end() -> None:
    assert lines() == [
        "Get the base image …",
        "Build the image …",
        "Get the base image: unchanged",
        "warning: the app answers everybody",
        "Build the image: updated in 12 s (cpu 256 → 512)",
        "Run the container: failed after 3.4 s",
    ]


def test_quiet_leaves_the_warnings() -> None:
    assert lines("quiet") == ["warning: the app answers everybody"]


def test_of_a_refused_operation_only_the_error_is_shown() -> None:
    stream = io.StringIO()
    listener = PlainLines(OutputStream(stream, animated=False, color=False, unicode=True), terse=False)
    listener(Started(IMAGE, "Roll back"))
    listener(Failed(IMAGE, "Roll back", ValueError("there is no earlier release"), 0.1, refused=True))
    assert stream.getvalue().splitlines() == ["Roll back …"]


def test_milestones_are_told_now_and_then() -> None:
    stream = io.StringIO()
    listener = PlainLines(OutputStream(stream, animated=False, color=False, unicode=True), terse=False, every=0)
    listener(Started(IMAGE, "Build the image"))
    listener(Progressed(IMAGE, Progress("", "RUN uv", 3, 9)))
    listener(Progressed(IMAGE, Progress("layer", "Downloading", 3, 9, in_bytes=True)))
    listener(Progressed(IMAGE, Progress("", "Downloading", 3_000_000, 9_000_000, in_bytes=True)))
    assert stream.getvalue().splitlines()[1:] == [
        "Build the image: 3/9 RUN uv",
        "Build the image: 3.0 MB of 9.0 MB Downloading",
    ]


def test_a_busy_step_does_not_flood_the_log() -> None:
    stream = io.StringIO()
    listener = PlainLines(OutputStream(stream, animated=False, color=False, unicode=True), terse=False)
    listener(Started(IMAGE, "Build the image"))
    for done in range(1000):
        listener(Progressed(IMAGE, Progress("", "RUN uv", done, 1000)))
    assert len(stream.getvalue().splitlines()) == 1


def test_what_goes_on_for_long_is_said_again_only_with_the_time_that_it_has_taken() -> None:
    stream = io.StringIO()
    terminal = OutputStream(stream, animated=False, color=False, unicode=True)
    listener = PlainLines(terminal, terse=False, every=0, still=0.05)
    listener(Started(IMAGE, "Check the image"))
    deadline = time.monotonic() + 300
    while len(stream.getvalue().splitlines()) < 3 and time.monotonic() < deadline:
        listener(Progressed(IMAGE, Progress("", "waiting for /health")))
    _, first, second = stream.getvalue().splitlines()
    assert first == "Check the image: waiting for /health"
    assert re.fullmatch(r"Check the image: waiting for /health \(\d+ s\)", second)


def test_lines_of_threads_never_mix() -> None:
    stream = io.StringIO()
    listener = PlainLines(OutputStream(stream, animated=False, color=False, unicode=True), terse=False)
    event = Finished(IMAGE, "Build the image", Action.CREATED, 1.0)

    def speak() -> None:
        for _ in range(200):
            listener(event)

    threads = [threading.Thread(target=speak) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stream.getvalue().splitlines() == [plain.describe_finished(event)] * 1600


def test_of_what_a_deployment_no_longer_wants_its_removal_is_told() -> None:
    received: list[Event] = []
    listener = plain.as_sweep_events(received.append, {IMAGE})
    old, lost = Resource("container", Key("old")), Resource("container", Key("lost"))
    built = Finished(IMAGE, "Build the image", Action.CREATED, 1.0)
    listener(built)
    for each, action in ((old, Action.REMOVED), (lost, Action.ABSENT)):
        listener(Started(each, "Run the container"))
        listener(Finished(each, "Run the container", action, 1.0))
    assert received == [built, Finished(old, "Remove the container old", Action.REMOVED, 1.0)]


def test_a_reader_that_has_gone_does_not_end_the_deployment() -> None:
    command = (sys.executable, "-m", "tests.ui.walking")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stderr.close()
        process.stdin.write(b"\n")
        process.stdin.close()
        assert process.wait(300) == 0


@pytest.mark.parametrize("action", list(Action))
def test_every_action_has_a_word(action: Action) -> None:
    assert plain.ACTION_WORDS[action]
