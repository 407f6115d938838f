"""A draft of a report, written by a second model that is shown many patches of the slide at once.

As MedGemma 1.5 was taught to read slides: patches of 896 pixels at 1 µm a pixel, 125 at most, the
text before them. The draft begins with the verdict, and each further sentence rests on patches.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from healer import NOTICE
from healer.engines.base import Answer, MultiImageEngine
from healer.errors.base import HealerError
from healer.errors.slides import EngineWritesNoDraft, TooManyPictures
from healer.images.tile import Tile
from healer.screening.pipeline import engine_error
from healer.screening.screener import Screener
from healer.slides.cascade import PATCH_PX, Patch, choose_patches
from healer.slides.claims import Claim, Dropped, checked, claims_in
from healer.slides.reader import SlideReader
from healer.slides.regions import Region, area_json
from healer.slides.scoring import TileResult, on_white

DRAFT_UM_PER_PX = 1.0
MOST_PATCHES = 125
SENTENCES = 8
MOST_TOKENS = 500
MACHINE_WRITTEN = "Written by a machine: check every sentence against its patch."
PROMPT = (
    "You help a pathologist with the draft of a report. The {count} pictures that follow are "
    "patches of one H&E-stained slide of the colon or rectum, each {side} µm wide. They are "
    "numbered from 1 to {count} in the order in which they are shown. Another model has read the "
    'whole slide, and the draft begins so: "{begins}" Go on from there. Describe in at most '
    "{sentences} short sentences what the patches show: glands, nuclei, stroma, inflammation. End "
    "each sentence with the number of the patch that shows it, as in [patch 3]. Neither repeat nor "
    "change the verdict, and state nothing that no patch shows."
)


@dataclass(frozen=True, slots=True)
class Draft:
    """`patches` are numbered from 1; `notes` say what went otherwise than it was asked for."""

    model: str
    begins: str
    patches: tuple[Patch, ...]
    asked_for: int
    seed: int
    seconds: float
    claims: tuple[Claim, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def in_words(self) -> str:
        """Who wrote it, of what, and how much of that stands."""
        written = len(self.claims) + len(self.dropped)
        said = (
            f"{self.model} was shown {_counted(len(self.patches), 'patch', 'patches')} and wrote "
            f"{_counted(written, 'sentence', 'sentences')}"
        )
        counts = Counter(each.reason for each in self.dropped)
        reasons = [reason.counted(count) for reason, count in counts.items()]
        left_out = f"; left out: {', '.join(reasons)}" if reasons else ""
        return " ".join([f"{said}{left_out}.", *self.notes])

    @property
    def lines(self) -> list[str]:
        """The draft itself: the verdict, then a sentence a line with its patches."""
        linked = [
            f"{claim.text} [{'patch' if len(claim.patches) == 1 else 'patches'} "
            f"{', '.join(map(str, claim.patches))}]"
            for claim in self.claims
        ]
        return [self.begins, *linked]

    @property
    def places(self) -> Mapping[int, Patch]:
        """The patches that the draft rests on, by number."""
        named = sorted({number for claim in self.claims for number in claim.patches})
        return {number: self.patches[number - 1] for number in named}

    def as_json(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "notice": f"{MACHINE_WRITTEN} {NOTICE}",
            "first_sentence": self.begins,
            "sentences": [self._claim_json(claim) for claim in self.claims],
            "dropped": [{"text": each.text, "reason": str(each.reason)} for each in self.dropped],
            "sentence": self.in_words,
            "notes": list(self.notes),
            "patch_px": PATCH_PX,
            "patch_um_per_px": DRAFT_UM_PER_PX,
            "patches_asked_for": self.asked_for,
            "seed": self.seed,
            "patches": [
                {
                    "number": number,
                    "box": area_json(patch.area),
                    "region": patch.region,
                    "first_verdict": str(patch.first),
                }
                for number, patch in enumerate(self.patches, start=1)
            ],
            "seconds": round(self.seconds, 3),
        }

    def _claim_json(self, claim: Claim) -> dict[str, Any]:
        places = [
            {"number": number, "box": area_json(self.patches[number - 1].area)}
            for number in claim.patches
        ]
        return {"text": claim.text, "patches": places}


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


OnDraft = Callable[[int, int], None]  # takes how many patches of how many have been read


def ignore_draft(_done: int, _total: int) -> None:
    pass


def draft_engine(screener: Screener) -> MultiImageEngine:
    """Raises EngineWritesNoDraft."""
    if not isinstance(screener.engine, MultiImageEngine):
        raise EngineWritesNoDraft(screener.info.engine)
    return screener.engine


@dataclass(slots=True)
class DraftWriter:
    """`asked_for` patches at most; where the model cannot be shown so many, as many as it can.
    `on_draft` is called with how many of how many it has read."""

    second: Screener
    reader: SlideReader
    regions: Sequence[Region]
    scored: Sequence[TileResult]
    asked_for: int
    seed: int
    on_draft: OnDraft = ignore_draft

    def write(self, begins: str, verdict: Answer) -> Draft:
        """What goes wrong is a note of the draft, and costs the slide nothing else."""
        started, notes = time.perf_counter(), list[str]()
        patches, text = self._text(begins, notes)
        claims, dropped = checked(claims_in(text), len(patches), verdict)
        if patches and not claims:
            notes.append("None of its sentences stands beside the verdict.")
        return Draft(
            model=self.second.info.model_id,
            begins=begins,
            patches=tuple(patches),
            asked_for=self.asked_for,
            seed=self.seed,
            seconds=time.perf_counter() - started,
            claims=tuple(claims),
            dropped=tuple(dropped),
            notes=tuple(notes),
        )

    def _text(self, begins: str, notes: list[str]) -> tuple[list[Patch], str]:
        """The patches that the model was shown, and what it wrote of them."""
        engine, count = draft_engine(self.second), self.asked_for
        while count > 0:
            patches, pictures = self._pictures(count)
            if not patches:
                notes.append("No draft was written: no tissue was scored that can be shown.")
                return [], ""
            try:
                on_pictures = partial(self._read, len(patches))
                on_pictures(0)
                prompt = prompt_for(begins, len(patches))
                return patches, "".join(engine.write(prompt, pictures, MOST_TOKENS, on_pictures))
            except TooManyPictures as error:
                count = min(error.most, len(patches) - 1)
                notes.append(
                    f"It could not be shown {len(patches)} at once ({error.reason})"
                    f"{'.' if count > 0 else ': no draft was written.'}"
                )
            except Exception as error:  # libraries raise what they please
                notes.append(f"No draft was written: {engine_error(error)}")
                return [], ""
        return [], ""

    def _read(self, total: int, done: int) -> None:
        self.on_draft(done, total)

    def _pictures(self, count: int) -> tuple[list[Patch], list[Tile]]:
        """Chosen again for each count, so that fewer are as well spread. What cannot be read again
        is left out."""
        patches: list[Patch] = []
        pictures: list[Tile] = []
        side = PATCH_PX * DRAFT_UM_PER_PX
        info = self.reader.info
        for patch in choose_patches(
            self.regions, self.scored, info.resolution, count, self.seed, side, info.bounds
        ):
            try:
                pixels = on_white(self.reader.read(patch.area, (PATCH_PX, PATCH_PX)))
            except HealerError:
                continue
            patches.append(patch)
            pictures.append(Tile(pixels=pixels, mpp=DRAFT_UM_PER_PX))
        return patches, pictures


def prompt_for(begins: str, count: int) -> str:
    side = f"{PATCH_PX * DRAFT_UM_PER_PX:.0f}"
    return PROMPT.format(count=count, side=side, begins=begins, sentences=SENTENCES)
