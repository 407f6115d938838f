from __future__ import annotations

import dataclasses
import inspect
import pickle
import re

from healer import errors
from healer.problem import Problem, status_of
from healer.server.problems import retry_headers

EVERY = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, errors.HealerError)
]
SAMPLES = {"str": "text", "int": 12, "float": 12.5}


def example_of(kind: type[errors.HealerError]) -> errors.HealerError:
    needed = [field for field in dataclasses.fields(kind) if field.default is dataclasses.MISSING]
    return kind(**{field.name: SAMPLES[str(field.type)] for field in needed})


def test_codes_and_titles_are_each_used_once() -> None:
    assert len({kind.code for kind in EVERY}) == len(EVERY)
    assert len({kind.title for kind in EVERY}) == len(EVERY)


def drawn_parents() -> dict[str, str]:
    """From each error in the docstring's tree to the one above it."""
    above, parents = ["HealerError"], {}
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"([│├└─ ]+) (\w+)", line):
            depth = (len(found[1]) + 1) // 4
            above[depth:] = [found[2]]
            parents[found[2]] = above[depth - 1]
    return parents


def test_the_tree_drawn_in_the_docstring_is_the_tree() -> None:
    bases = {kind.__name__: kind.__bases__[0].__name__ for kind in EVERY}
    assert bases.pop("HealerError") == "Exception"
    assert drawn_parents() == bases


def test_each_builds_a_sentence_from_its_fields() -> None:
    for kind in EVERY:
        error = example_of(kind)
        assert str(error)[0] != "{"
        assert str(error).rstrip("'").endswith((".", "]"))
        assert "{" not in str(error)
        for value in filter(None, error.fields().values()):
            assert str(value) in str(error)


def test_each_becomes_a_problem_with_its_fields() -> None:
    for kind in EVERY:
        error = example_of(kind)
        problem = Problem.of(error, "r1").model_dump()
        assert problem["code"] == kind.code
        assert error.fields().items() <= problem.items()


# What any HTTP client takes for a failure that passes.
PASSING = {408, 429, 503, 504}
TO_BE_SENT_AGAIN = {
    errors.AuditUnavailable,
    errors.ArchiveFull,
    errors.ArchiveUnreachable,
    errors.Busy,
    errors.ClientTooSlow,
    errors.ConnectionsFull,
    errors.DeadlineExceeded,
    errors.EngineHung,
    errors.FhirRefused,
    errors.FhirUnavailable,
    errors.IdentityUnavailable,
    errors.ImageReaderLost,
    errors.ModelNotReady,
    errors.QueueFull,
    errors.RateLimited,
    errors.ResultsRejected,
    errors.ShuttingDown,
    errors.UploadsFull,
    errors.UpstreamBusy,
    errors.UpstreamChanged,
    errors.UpstreamUnreachable,
}


def test_what_may_be_sent_again_is_known_and_nothing_else_may() -> None:
    assert {kind for kind in EVERY if kind.retryable} == TO_BE_SENT_AGAIN


def test_only_what_passes_says_when_to_come_again() -> None:
    for kind in EVERY:
        error = example_of(kind)
        problem = Problem.of(error, "r1").model_dump()
        headers = retry_headers(error)
        assert problem["retryable"] is kind.retryable
        if kind.retryable:
            assert status_of(kind) in PASSING
            assert headers == {"Retry-After": str(problem["retry_after"])}
            assert problem["retry_after"] > 0
        else:
            assert headers == {}
            assert problem["retry_after"] is None
            # A probe's 503: as unavailable as while it loads, and the body says that it stays so.
            assert status_of(kind) not in PASSING or kind is errors.ModelUnavailable


def test_each_survives_the_way_between_processes() -> None:
    for kind in EVERY:
        error = example_of(kind)
        received = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
        assert type(received) is kind
        assert str(received) == str(error)


def test_a_clients_mistake_is_never_a_500() -> None:
    for kind in EVERY:
        expected = 4 if issubclass(kind, errors.RequestError | errors.Busy) else 5
        assert status_of(kind) // 100 == expected


def test_exit_codes_distinguish_download_failures() -> None:
    kinds = [kind for kind in EVERY if issubclass(kind, errors.DownloadError)]
    assert len({kind.exit_code for kind in kinds}) == len(kinds)
    assert all(kind.exit_code for kind in EVERY)
