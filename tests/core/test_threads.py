"""A command waits for its threads, as far as Python can."""

from __future__ import annotations

import _thread
import threading

from mldeploy.core.threads import join_threads


def test_it_waits_for_a_thread_that_ends() -> None:
    before, ended = threading.enumerate(), threading.Event()
    timer = threading.Timer(0.2, ended.set)
    timer.start()
    assert join_threads(before, 300)
    assert ended.is_set()


def test_it_gives_up_a_thread_that_does_not_end() -> None:
    before, release = threading.enumerate(), threading.Event()
    stuck = threading.Thread(target=release.wait)
    stuck.start()
    try:
        assert not join_threads(before, 0.1)
        assert stuck.is_alive(), "it was not waited for"
    finally:
        release.set()
        stuck.join()


def test_it_passes_over_a_thread_that_python_did_not_start() -> None:
    """As those of gRPC: the first Python code in it makes an object that cannot be joined."""
    before, known, release = threading.enumerate(), threading.Event(), threading.Event()

    def run() -> None:
        threading.current_thread()
        known.set()
        release.wait(300)

    _thread.start_new_thread(run, ())
    assert known.wait(300)
    try:
        assert any(each not in before for each in threading.enumerate())
        assert join_threads(before, 0.1)
    finally:
        release.set()
