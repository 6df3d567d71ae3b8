"""A statement that is to end: whatever happens to the request for its end, its pipe is read until it has ended."""

import os
import threading

import pytest
from weir.edges.embedded.clickhouse_facade.outlets import PIECE_BYTES, Gone, Running

from tests.waiting import WAIT_S


@pytest.mark.parametrize("fails", [0, 1, 3])
def test_a_request_that_fails_is_made_again(fails):
    ended = threading.Event()
    asked = []

    def statement(writing: int) -> None:
        while not ended.is_set():
            os.write(writing, bytes(PIECE_BYTES))

    def kill() -> None:
        asked.append(None)
        if len(asked) <= fails:
            raise RuntimeError("Memory limit (total) exceeded")
        ended.set()

    with pytest.raises(Gone):
        Running(statement).pump(lambda piece: None, lambda: True, kill)
    assert len(asked) == fails + 1


def test_one_that_waits_for_the_statement_does_not_keep_its_pipe_unread():
    written = threading.Event()

    def statement(writing: int) -> None:
        for _ in range(100):
            os.write(writing, bytes(PIECE_BYTES))
        written.set()

    def sink(piece: bytes) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        Running(statement).pump(sink, lambda: False, lambda: assert_set(written))


def assert_set(event: threading.Event) -> None:
    assert event.wait(WAIT_S)
