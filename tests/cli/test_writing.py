from __future__ import annotations

import signal

import pytest

from healer.cli.predict_output import uninterrupted


def written_through(interrupts: int) -> list[str]:
    done: list[str] = []

    def write() -> None:
        with uninterrupted():
            for _ in range(interrupts):
                signal.raise_signal(signal.SIGINT)
            done.append("row")

    with pytest.raises(KeyboardInterrupt):
        write()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    return done


def test_ctrl_c_is_heeded_once_the_row_is_whole() -> None:
    assert written_through(interrupts=1) == ["row"]


def test_a_second_one_is_heeded_at_once() -> None:
    assert written_through(interrupts=2) == []


def test_who_ignores_it_goes_on_ignoring_it() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
