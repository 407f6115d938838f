"""The whole corpus, sent to a real service: a clear answer to each, and to the next good one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.hostile import Outcome, Service, serving
from healer.sandbox.loader import sandbox_limits
from healer.settings.loading import Settings
from tests.images.hostile import corpus
from tests.images.hostile.oddities import oddities, upright
from tests.images.hostile.parts import ANSWERED, case, encode

SETTINGS = Settings(_env_file=None, decode_seconds=4)
SERVICE_GROWTH = 512 * 1024 * 1024  # one upload, its pixels, and what the model makes of them


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with serving(HEALER_DECODE_SECONDS=str(SETTINGS.decode_seconds)) as service:
        yield service


def test_each_gets_a_clear_answer_and_so_does_the_next_good_one(service: Service) -> None:
    wrong, groups = [], set()
    for hostile in corpus():
        outcome = service.post(hostile)
        if not clear(outcome):
            wrong.append((hostile.name, outcome.status, outcome.code, outcome.detail))
        if outcome.code == "image_too_costly" or hostile.group not in groups:
            assert service.answers(), hostile.name
            groups.add(hostile.group)
    assert wrong == []
    grown = service.memory.most_alone - service.memory.first
    assert grown < SERVICE_GROWTH
    assert service.memory.most < service.memory.first + SERVICE_GROWTH + bound()


def clear(outcome: Outcome) -> bool:
    if outcome.code not in outcome.hostile.outcomes:
        return False
    if outcome.code == ANSWERED:
        return outcome.status == 200
    sentence = outcome.detail
    return 400 <= outcome.status < 500 and sentence.endswith(".") and 20 < len(sentence) < 500


def bound() -> int:
    return SETTINGS.decoders * sandbox_limits(SETTINGS).memory_bytes


def test_a_legal_oddity_is_answered_as_the_plain_picture_is(service: Service) -> None:
    plain = encode(upright(), "PNG")
    expected = service.post(case("", "", (), bytes, plain)).answer
    turned = [each for each in oddities() if "orientation" in each.name and not each.tolerance]
    assert len(turned) >= 24
    for oddity in turned:
        answer = service.post(case("", oddity.name, (), bytes, oddity.data)).answer
        for part in ("tile", "probability", "findings"):
            assert answer[part] == expected[part], oddity.name
