from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from healer.engines.base import Answer, MultiImageEngine, OnPictures, ignore_pictures
from healer.errors.slides import EngineWritesNoDraft, TooManyPictures
from healer.images.tile import Tile
from healer.screening.screener import Screener
from healer.slides.answer import SlideAnswer
from healer.slides.claims import DropReason
from healer.slides.draft import Draft, DraftWriter, OnDraft, draft_engine, ignore_draft
from healer.slides.reader import Area
from healer.slides.report import patch_views
from healer.slides.run import SlideOptions
from healer.slides.slide_screener import SlideFolder
from tests.fake_engine import FakeEngine
from tests.slides.drawn import RED, answered, drawn_slide
from tests.slides.memory_slide import MemorySlide

WRITTEN = (
    "Irregular glands & crypts fuse [patch 1]. Goblet cells are few [patch 2].\n"
    'No malignancy is seen [patch 2]. Mucus is abundant. Nuclei & "stroma" are large [patch 99].'
)


class Writer(FakeEngine):
    """Writes the same of any patches; `most` is how many it can be shown at once."""

    def __init__(self, text: str = WRITTEN, most: int = 125) -> None:
        self.text, self.most = text, most
        self.prompts: list[str] = []
        self.shown: list[list[Tile]] = []

    def write(
        self,
        prompt: str,
        pictures: Sequence[Tile],
        most_tokens: int,
        on_pictures: OnPictures = ignore_pictures,
    ) -> Iterator[str]:
        assert most_tokens > 0
        self.prompts.append(prompt)
        self.shown.append(list(pictures))
        if len(pictures) > self.most:
            raise TooManyPictures("healer/fake", len(pictures), self.most, "it is forgetful")
        for count in range(1, len(pictures) + 1):
            on_pictures(count)
        yield from (self.text[:20], self.text[20:])


class Breaking(Writer):
    def write(self, *_given: object, **_named: object) -> Iterator[str]:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")
        yield ""


SLIDE = drawn_slide(Area(2, 2, 2, 2), columns=14, rows=10)


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> SlideAnswer:
    found = answered(SLIDE, tmp_path_factory.mktemp("parts"))
    assert found.verdict.answer is Answer.YES
    return found


def drafted(
    answer: SlideAnswer,
    engine: FakeEngine,
    verdict: Answer = Answer.YES,
    slide: MemorySlide = SLIDE,
    on_draft: OnDraft = ignore_draft,
) -> Draft:
    scored = [each for each in answer.results if each.probability is not None]
    writer = DraftWriter(
        Screener(engine), slide, answer.regions, scored, asked_for=6, seed=0, on_draft=on_draft
    )
    return writer.write(answer.sentence, verdict)


def test_a_draft_begins_with_the_verdict_and_keeps_what_rests_on_patches(
    answer: SlideAnswer,
) -> None:
    draft = drafted(answer, Writer())
    assert draft.lines == [
        answer.sentence,
        "Irregular glands & crypts fuse. [patch 1]",
        "Goblet cells are few. [patch 2]",
    ]
    assert [each.reason for each in draft.dropped] == [
        DropReason.CONTRADICTION,
        DropReason.NO_PATCH,
        DropReason.UNKNOWN_PATCH,
    ]
    assert "wrote 5 sentences; left out: 1 contradicts the verdict" in draft.in_words


def test_it_says_how_many_patches_were_read(answer: SlideAnswer) -> None:
    """Of those that the model is shown in the end: reading them takes minutes."""
    seen = list[tuple[int, int]]()
    draft = drafted(answer, Writer(most=2), on_draft=lambda done, total: seen.append((done, total)))
    assert len(draft.patches) == 2
    assert seen[0][0] == 0 < 2 < seen[0][1]
    assert seen[1:] == [(0, 2), (1, 2), (2, 2)]


def test_the_model_sees_the_verdict_and_patches_of_896_pixels_at_1_um(answer: SlideAnswer) -> None:
    engine = Writer()
    draft = drafted(answer, engine)
    assert answer.sentence in engine.prompts[0]
    assert f"The {len(draft.patches)} pictures" in engine.prompts[0]
    (shown,) = engine.shown
    assert len(shown) == len(draft.patches) > 2
    assert {(tile.width, tile.height, tile.mpp) for tile in shown} == {(896, 896, 1.0)}
    assert {patch.area.width for patch in draft.patches} == {896}


def test_the_first_patch_shows_the_region_and_a_seed_gives_the_same_patches(
    answer: SlideAnswer,
) -> None:
    draft = drafted(answer, Writer())
    assert draft.patches[0].region == 1
    assert answer.regions[0].box.intersection(draft.patches[0].area)
    assert drafted(answer, Writer()).patches == draft.patches


def test_a_no_is_not_turned_into_cancer(answer: SlideAnswer) -> None:
    text = "Adenocarcinoma infiltrates [patch 1]. Crypts are even [patch 1]."
    draft = drafted(answer, Writer(text), Answer.NO)
    assert [claim.text for claim in draft.claims] == ["Crypts are even."]
    assert draft.dropped[0].reason is DropReason.CONTRADICTION


def test_fewer_patches_are_shown_where_not_all_fit_and_the_draft_says_so(
    answer: SlideAnswer,
) -> None:
    engine = Writer(most=2)
    draft = drafted(answer, engine)
    assert [len(shown) for shown in engine.shown][1:] == [2]
    assert (len(draft.patches), draft.asked_for) == (2, 6)
    assert "could not be shown" in draft.in_words
    assert "it is forgetful" in draft.in_words


@pytest.mark.parametrize(
    ("engine", "why"), [(Writer(most=0), "no draft was written"), (Breaking(), "RuntimeError")]
)
def test_a_model_that_fails_leaves_the_verdict_alone(
    answer: SlideAnswer, engine: FakeEngine, why: str
) -> None:
    draft = drafted(answer, engine)
    assert draft.lines == [answer.sentence]
    assert why in draft.in_words


def test_what_cannot_be_read_again_is_not_shown(answer: SlideAnswer) -> None:
    hole = drafted(answer, Writer()).patches[-1].area
    damaged = MemorySlide(SLIDE.pixels, damaged=(Area(hole.x + 1, hole.y + 1, 10, 10),))
    engine = Writer()
    draft = drafted(answer, engine, slide=damaged)
    assert len(engine.shown[0]) == len(draft.patches)
    assert hole not in [patch.area for patch in draft.patches]


def test_an_engine_without_several_pictures_writes_none() -> None:
    assert isinstance(Writer(), MultiImageEngine)
    with pytest.raises(EngineWritesNoDraft, match="fake"):
        draft_engine(Screener(FakeEngine()))


def test_the_files_hold_the_draft_and_each_named_patch(answer: SlideAnswer, tmp_path: Path) -> None:
    draft = drafted(answer, Writer())
    drawn = replace(answer, draft=draft)
    SlideFolder(tmp_path).write(drawn, SLIDE)
    held = json.loads((tmp_path / "slide.json").read_text(encoding="utf-8"))["draft"]
    assert held["first_sentence"] == answer.sentence
    assert held["sentences"][0]["text"] == "Irregular glands & crypts fuse."
    (place,) = held["sentences"][0]["patches"]
    first = draft.patches[0].area
    assert place == {
        "number": 1,
        "box": {"x": first.x, "y": first.y, "width": first.width, "height": first.height},
    }
    assert [each["reason"] for each in held["dropped"]] == [str(e.reason) for e in draft.dropped]
    assert (held["seed"], held["patches_asked_for"]) == (0, 6)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Written by a machine" in page
    assert 'Irregular glands &amp; crypts fuse. [<a href="#patch-1">1</a>]' in page
    assert page.count('<figure id="patch-') == 2
    views = patch_views(drawn, SLIDE)
    assert [view.number for view in views] == [1, 2]
    assert np.asarray(views[0].picture)[..., 0].max() > RED[0]


def test_a_run_writes_a_draft_where_it_is_asked_for(tmp_path: Path) -> None:
    second = Screener(Writer())
    slide = drawn_slide()
    drawn = answered(slide, tmp_path / "a", SlideOptions(draft_patches=3), second)
    assert drawn.draft is not None
    assert drawn.draft.begins == drawn.sentence
    assert "draft" in drawn.seconds
    assert answered(slide, tmp_path / "b", second=second).draft is None
