"""Answers slides one after another into their folders, with models that are opened once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from healer.engines import builtin
from healer.screening.calibration import Binding
from healer.screening.opening import EngineChoice, choose_engine, open_screener
from healer.screening.screener import Screener
from healer.settings.loading import Settings
from healer.slides.calibration import load_slide_calibration
from healer.slides.folder import SlideFolder
from healer.slides.listing import ListedSlide
from healer.slides.opening import open_slide
from healer.slides.reader import ColourChoice, SlideReader
from healer.slides.run import Progress, SlideOptions, SlideRun, binding_of, plan_for

Json = dict[str, Any]
OnProgress = Callable[[Progress], None]


@dataclass
class SlideScreener:
    """`mpp` is of slides whose list states none. `second_engine` is asked about the most
    suspicious places; `fresh` begins again what an earlier run has read."""

    settings: Settings
    out: Path
    options: SlideOptions = field(default_factory=SlideOptions)
    mpp: float | None = None
    colour: ColourChoice = "raw"
    second_engine: str | None = None
    fresh: bool = False
    calibration: Path | None = None

    @cached_property
    def screener(self) -> Screener:
        """The built-in model reads everything: nothing else is quick enough."""
        other = self.settings.engine not in ("auto", builtin.SPEC.name)
        update = {"engine": builtin.SPEC.name, **({"calibration": "auto"} if other else {})}
        choice = EngineChoice(builtin.SPEC.name, "it reads whole slides")
        return open_screener(choice, self.settings.model_copy(update=update))

    @cached_property
    def second(self) -> Screener | None:
        """None where nothing but the built-in model is there to be asked."""
        choice = choose_engine(self.settings)
        if not self.second_engine or choice.engine == builtin.SPEC.name:
            return None
        return open_screener(choice, self.settings)

    def close(self) -> None:
        for screener in (vars(self).get("screener"), vars(self).get("second")):
            if screener is not None:
                screener.engine.close()

    def answer(self, slide: ListedSlide, on_progress: OnProgress = lambda _: None) -> Json:
        """What `slide.json` says. Raises `healer.errors.base.HealerError`."""
        mpp, source = (slide.mpp, "list") if slide.mpp is not None else (self.mpp, "--mpp")
        opened = open_slide(slide.path, mpp=mpp, mpp_source=source, colour=self.colour)
        with closing(opened) as reader:
            return self._answer(slide, reader, on_progress)

    def _answer(self, slide: ListedSlide, reader: SlideReader, on_progress: OnProgress) -> Json:
        folder = SlideFolder(self.out / slide.name)
        tiles = binding_of(
            reader.info, self.screener, plan_for(self.screener, self.options.overlap)
        )
        file = self.calibration
        calibration = None if file is None else load_slide_calibration(file, tiles)
        binding = {
            **tiles,
            **self.options.as_binding(),
            **self._second_binding(),
            **({"option calibration": calibration.id} if calibration else {}),
        }
        with folder.parts() as parts:
            if self.fresh:
                parts.discard()
                folder.discard_answer()
            elif document := folder.finished(binding):
                return document
            run = SlideRun(
                name=slide.name,
                binding=binding,
                reader=reader,
                screener=self.screener,
                parts=parts,
                options=self.options,
                known=folder.known_results(tiles),
                calibration=calibration,
                second=self.second,
                on_progress=on_progress,
                on_map=lambda mask, results: folder.write_early_map(reader, mask.tissue, results),
            )
            document = folder.write(run.answer(), reader)
            parts.discard()
        return document

    def _second_binding(self) -> dict[str, str]:
        """The second model is part of the answer; opening it here saves opening it later."""
        if self.second is None:
            return {}
        binding = Binding.of(self.second.info).model_dump()
        return {f"second {name}": str(value) for name, value in binding.items()}
