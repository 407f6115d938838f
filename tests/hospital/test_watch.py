"""The watch: nothing lost and nothing twice, whatever fails and whenever it is stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, time
from pathlib import Path
from typing import Any, cast

import limits
import pytest

pytest.importorskip("highdicom", reason="watching needs healer[hospital]")
pytest.importorskip("sqlalchemy", reason="the ledger needs healer[audit]")

from healer.errors.audit import AuditUnavailable
from healer.errors.base import HealerError
from healer.errors.hospital import (
    ArchiveFull,
    ArchiveRefused,
    ArchiveUnreachable,
    FhirRefused,
    FhirUnavailable,
    ResultsRejected,
)
from healer.errors.slides import NotBrightfield, SlideRunMismatch, SlideSeriesIncomplete
from healer.hospital.archive import FoundSeries
from healer.hospital.hours import Hours
from healer.hospital.ledger import Ledger, State
from healer.hospital.watch import LONGEST_PAUSE, Watcher, WatchOptions, back_off
from healer.hospital.watch_status import health

Trouble = HealerError | KeyboardInterrupt


@dataclass
class Hospital:
    """An archive, a model and a record system in one, which fail on request; what each took
    on, in order."""

    series: list[FoundSeries] = field(default_factory=list)
    troubles: dict[str, list[Trouble]] = field(default_factory=dict)
    read: list[str] = field(default_factory=list)
    stored: list[str] = field(default_factory=list)
    reported: list[str] = field(default_factory=list)
    out: Path = Path()

    def _may_fail(self, step: str) -> None:
        if waiting := self.troubles.get(step):
            raise waiting.pop(0)

    def slides(self) -> Iterator[FoundSeries]:
        self._may_fail("search")
        yield from self.series

    def expect(self, found: FoundSeries) -> FoundSeries:
        return found

    def answer(self, slide: FoundSeries) -> dict[str, Any]:
        self._may_fail("read")
        self.read.append(slide.series)
        objects = self.out / slide.series / "dicom"
        objects.mkdir(parents=True, exist_ok=True)
        (objects / "report.dcm").touch()
        return {}

    def store(self, files: list[Path]) -> None:
        """As an archive does, it has one of each, however often it is sent."""
        self._may_fail("store")
        for file in files:
            name = file.parents[1].name
            if name not in self.stored:
                self.stored.append(name)
        self._may_fail("stored")

    def post(self, folder: Path) -> None:
        self._may_fail("post")
        if folder.name not in self.reported:
            self.reported.append(folder.name)


@dataclass
class Clock:
    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Ward:
    """A hospital and a watcher on it, which can be started again."""

    hospital: Hospital
    database: Path
    clock: Clock = field(default_factory=Clock)
    model: str = "model 1"

    def watcher(self, **options: Any) -> Watcher:  # noqa: ANN401 - of WatchOptions
        return Watcher(
            archive=cast(Any, self.hospital),
            source=cast(Any, self.hospital),
            screener=cast(Any, self.hospital),
            ledger=Ledger(f"sqlite:///{self.database}", "https://archive", self.model),
            options=WatchOptions(**{"settle": 0.0, **options}),
            clock=self.clock,
        )

    def run(self, **options: Any) -> dict[str, int]:  # noqa: ANN401
        """One round of a watcher that is started for it; the ledger's counts after it."""
        watcher = self.watcher(**options)
        try:
            watcher.run(once=True)
        finally:
            counts = watcher.ledger.counts()
            watcher.ledger.close()
        return {state: count for state, count in counts.items() if count}


@pytest.fixture
def ward(tmp_path: Path) -> Ward:
    series = [FoundSeries("1.2", f"1.2.{number}", 3) for number in range(3)]
    return Ward(Hospital(series, out=tmp_path), tmp_path / "watch.db")


EVERY = ["1.2.0", "1.2.1", "1.2.2"]


def test_every_series_is_read_stored_and_reported_once(ward: Ward) -> None:
    assert ward.run() == {"done": 3}
    assert ward.run() == {"done": 3}
    hospital = ward.hospital
    assert hospital.read == hospital.stored == hospital.reported == EVERY


@pytest.mark.parametrize("step", ["search", "read", "store", "stored", "post"])
@pytest.mark.parametrize("place", [0, 1])
def test_killed_at_any_step_nothing_is_lost_and_nothing_is_done_twice(
    ward: Ward, step: str, place: int
) -> None:
    hospital = ward.hospital
    hospital.troubles[step] = [KeyboardInterrupt()]
    if place:
        ward.hospital.series, later = hospital.series[:1], hospital.series
        del hospital.troubles[step]
        ward.run()
        hospital.series, hospital.troubles[step] = later, [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        ward.run()
    assert ward.run() == {"done": 3}
    assert sorted(hospital.stored) == sorted(hospital.reported) == EVERY
    assert sorted(hospital.read) == EVERY


@pytest.mark.parametrize(
    ("step", "trouble"),
    [
        ("search", ArchiveUnreachable("ConnectionError")),
        ("read", ArchiveUnreachable("ConnectionError")),
        ("store", ArchiveFull("it answered 507")),
        ("store", ArchiveUnreachable("it answered 503")),
        ("post", FhirUnavailable("it answered 500")),
    ],
)
def test_what_is_away_or_full_is_waited_for_and_no_slide_is_blamed(
    ward: Ward, step: str, trouble: HealerError
) -> None:
    ward.hospital.troubles[step] = [trouble, trouble]
    for _ in range(2):
        with pytest.raises(type(trouble)):
            ward.run()
    assert ward.run() == {"done": 3}
    assert sorted(ward.hospital.read) == EVERY


def test_a_running_watch_goes_on_after_trouble_and_says_so(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher, pauses, seen = ward.watcher(), [], []
    ward.hospital.troubles["store"] = [ArchiveFull("it answered 507")]

    def wait(seconds: float) -> bool:
        pauses.append(seconds)
        seen.append(health(watcher.state))
        ward.clock.now += seconds
        if len(pauses) == 2:
            watcher.stop.set()
        return False

    monkeypatch.setattr(watcher.stop, "wait", wait)
    watcher.run()
    watcher.ledger.close()
    assert [each["status"] for each in seen] == ["degraded", "ok"]
    assert seen[0]["problem"] == "dicomweb_full"
    assert seen[1]["series"]["done"] == 3
    assert pauses[1] == watcher.options.every


def test_while_slides_wait_there_is_no_pause_between_searches(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher, pauses, answer = ward.watcher(), [], ward.hospital.answer

    def slow(slide: FoundSeries) -> dict[str, Any]:
        ward.clock.now += 2 * watcher.options.every
        return answer(slide)

    def wait(seconds: float) -> bool:
        pauses.append(seconds)
        if len(pauses) == 4:
            watcher.stop.set()
        return False

    monkeypatch.setattr(ward.hospital, "answer", slow)
    monkeypatch.setattr(watcher.stop, "wait", wait)
    watcher.run()
    watcher.ledger.close()
    assert ward.hospital.read == EVERY
    assert pauses == [0, 0, 0, watcher.options.every]


def test_a_database_that_goes_away_is_waited_for_too(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher = ward.watcher()
    real, seen = watcher.ledger.answered, []

    def answered(*_: object) -> None:
        monkeypatch.setattr(watcher.ledger, "answered", real)
        raise AuditUnavailable("the database does not answer")

    def wait(_seconds: float) -> bool:
        seen.append(health(watcher.state)["problem"])
        if len(seen) == 2:
            watcher.stop.set()
        return False

    monkeypatch.setattr(watcher.ledger, "answered", answered)
    monkeypatch.setattr(watcher.stop, "wait", wait)
    watcher.run()
    assert watcher.ledger.counts()["done"] == 3
    watcher.ledger.close()
    assert seen == ["audit_unavailable", None]


def test_a_series_that_still_arrives_is_read_later(ward: Ward) -> None:
    ward.hospital.troubles["read"] = [SlideSeriesIncomplete("1 of the 3 files of the level")]
    assert ward.run() == {"done": 2, "waiting": 1}
    assert ward.run() == {"done": 2, "waiting": 1}  # it is not due yet
    ward.clock.now += LONGEST_PAUSE
    assert ward.run() == {"done": 3}


def test_a_series_is_not_read_before_its_files_have_settled(ward: Ward) -> None:
    assert ward.run(settle=60.0) == {"waiting": 3}
    ward.clock.now += 59
    ward.hospital.series[0] = FoundSeries("1.2", "1.2.0", 4)
    ward.run(settle=60.0)
    ward.clock.now += 1
    assert ward.run(settle=60.0) == {"done": 2, "waiting": 1}
    ward.clock.now += 60
    assert ward.run(settle=60.0) == {"done": 3}


def test_files_that_come_after_it_was_done_have_it_read_again(ward: Ward) -> None:
    ward.run()
    ward.hospital.series[1] = FoundSeries("1.2", "1.2.1", 5)
    ward.hospital.troubles["read"] = [SlideRunMismatch("1.2.1", "slide")]
    assert ward.run() == {"done": 3}
    assert ward.hospital.read == [*EVERY, "1.2.1"]


def test_a_slide_that_cannot_be_read_fails_alone_and_can_be_tried_again(ward: Ward) -> None:
    ward.hospital.troubles["read"] = [NotBrightfield("fluorescence")]
    assert ward.run() == {"done": 2, "failed": 1}
    assert ward.run() == {"done": 2, "failed": 1}
    watcher = ward.watcher()
    watcher.ledger.retry_failed(ward.clock())
    watcher.ledger.close()
    assert ward.run() == {"done": 3}


def test_a_watch_that_is_not_let_in_ends(ward: Ward) -> None:
    ward.hospital.troubles["read"] = [ArchiveRefused(401)]
    with pytest.raises(ArchiveRefused):
        ward.run()
    assert ward.run() == {"done": 3}


def test_a_series_that_was_deleted_meanwhile_is_that_series_trouble(ward: Ward) -> None:
    ward.hospital.troubles["read"] = [ArchiveRefused(404)]
    assert ward.run() == {"done": 2, "failed": 1}


@pytest.mark.parametrize(
    ("step", "trouble"),
    [
        ("store", ResultsRejected("failure reason 0xa900")),
        ("post", FhirRefused("it answered 422")),
    ],
)
def test_results_of_one_slide_that_nobody_takes_do_not_hold_up_the_others(
    ward: Ward, step: str, trouble: HealerError
) -> None:
    ward.hospital.troubles[step] = [trouble] * 2
    counts = ward.run()
    assert counts["done"] == 1
    for _ in range(3):
        ward.clock.now += LONGEST_PAUSE
        ward.run()
    assert ward.run() == {"done": 3}
    assert sorted(ward.hospital.read) == EVERY


def test_another_model_reads_all_again_and_the_first_ones_stay_done(ward: Ward) -> None:
    ward.run()
    ward.model = "model 2"
    assert ward.run() == {"done": 3}
    assert ward.hospital.read == [*EVERY, *EVERY]
    ward.model = "model 1"
    assert ward.run() == {"done": 3}
    assert len(ward.hospital.read) == 6


def test_outside_its_hours_nothing_is_read_and_what_was_read_is_stored(ward: Ward) -> None:
    at = datetime(2026, 3, 3, 12, 0).astimezone()
    ward.clock.now = at.timestamp()
    ward.hospital.troubles["store"] = [ArchiveFull("it answered 507")]
    with pytest.raises(ArchiveFull):
        ward.run()
    night = Hours.parse("20:00-06:00")
    assert ward.run(hours=night) == {"done": 1, "waiting": 2}
    ward.clock.now = datetime(2026, 3, 3, 23, 0).astimezone().timestamp()
    assert ward.run(hours=night) == {"done": 3}


@pytest.mark.parametrize(
    ("hours", "inside", "outside"),
    [
        ("20:00-06:00", [time(20), time(23, 59), time(0), time(5, 59)], [time(6), time(19, 59)]),
        ("09:30-17:00", [time(9, 30), time(16, 59)], [time(9, 29), time(17), time(0)]),
    ],
)
def test_hours(hours: str, inside: list[time], outside: list[time]) -> None:
    parsed = Hours.parse(hours)
    assert all(map(parsed.holds, inside))
    assert not any(map(parsed.holds, outside))


@pytest.mark.parametrize("text", ["", "20-06", "24:00-06:00", "06:00-06:00", "20:00–06:00"])
def test_what_are_no_hours(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        Hours.parse(text)


def test_the_rate_bounds_what_is_read(ward: Ward) -> None:
    watcher = ward.watcher(rate=limits.parse("2/hour"))
    watcher.run(once=True)
    counts = watcher.ledger.counts()
    watcher.ledger.close()
    assert (counts["done"], counts["waiting"]) == (2, 1)


def test_pauses_grow_have_jitter_and_an_end() -> None:
    for attempts in range(40):
        pauses = {back_off(attempts) for _ in range(20)}
        assert len(pauses) > 10
        assert 0 < min(pauses) <= max(pauses) <= LONGEST_PAUSE
    assert back_off(12) > back_off(0)


def test_ten_thousand_that_wait_are_noted_in_pages(tmp_path: Path) -> None:
    many = [FoundSeries("1.2", f"1.2.{number}", 1) for number in range(10_000)]
    ward = Ward(Hospital(many, out=tmp_path), tmp_path / "watch.db")
    watcher = ward.watcher(settle=1.0)
    watcher.run(once=True)
    assert watcher.state.counts[State.WAITING] == 10_000
    ward.clock.now += 2
    entry = watcher.ledger.next_due(ward.clock(), ward.clock() - 1, (State.WAITING,))
    watcher.ledger.close()
    assert entry is not None
    assert entry.found.series == "1.2.0"


def test_a_discarded_folder_goes_when_all_is_stored(ward: Ward) -> None:
    made: Callable[[], list[str]] = lambda: sorted(  # noqa: E731
        each.name for each in ward.hospital.out.iterdir() if each.is_dir()
    )
    ward.hospital.troubles["post"] = [FhirUnavailable("it answered 500")]
    with pytest.raises(FhirRefused):
        ward.run(discard=True)
    assert made() == ["1.2.0"]
    ward.run(discard=True)
    assert made() == []
