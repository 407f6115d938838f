from __future__ import annotations

import threading

import pytest

from healer.engines.openai.client import CircuitBreaker, CircuitOpen


class Broken(Exception):
    pass


def fail(breaker: CircuitBreaker) -> None:
    with pytest.raises(Broken, match="no luck"), breaker.watch(Broken):
        raise Broken("no luck")


def succeed(breaker: CircuitBreaker) -> None:
    with breaker.watch(Broken):
        pass


def test_it_opens_after_failures_in_a_row_and_says_why() -> None:
    breaker = CircuitBreaker(threshold=2, rest=60)
    fail(breaker)
    succeed(breaker)
    fail(breaker)
    breaker.check()
    fail(breaker)
    with pytest.raises(CircuitOpen) as open_circuit:
        succeed(breaker)
    assert open_circuit.value.cause == "no luck"
    assert 59 < open_circuit.value.seconds <= 60


def test_other_errors_are_no_failures() -> None:
    breaker = CircuitBreaker(threshold=1, rest=60)
    with pytest.raises(KeyError), breaker.watch(Broken):
        raise KeyError
    succeed(breaker)


def test_after_the_pause_one_request_probes_and_closes_it() -> None:
    breaker = CircuitBreaker(threshold=1, rest=0)
    fail(breaker)
    with breaker.watch(Broken), pytest.raises(CircuitOpen):
        succeed(breaker)  # a second one, while the first still tries
    succeed(breaker)
    succeed(breaker)


def test_a_failed_probe_begins_another_pause() -> None:
    breaker = CircuitBreaker(threshold=1, rest=0)
    fail(breaker)
    fail(breaker)
    with pytest.raises(KeyError), breaker.watch(Broken):
        raise KeyError  # says nothing of the server: the next one may try
    succeed(breaker)


def test_threads_are_not_made_to_wait_for_each_other() -> None:
    breaker, inside = CircuitBreaker(threshold=1, rest=60), threading.Barrier(8, timeout=10)

    def step() -> None:
        with breaker.watch(Broken):
            inside.wait()

    threads = [threading.Thread(target=step) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not inside.broken
