"""A slide that was answered, read back from its folder, and what all results made of it share."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from highdicom import AlgorithmIdentificationSequence
from numpy.typing import NDArray
from PIL import Image
from pydicom.uid import UID

from healer import __version__
from healer.hospital.codes import CodeBook
from healer.hospital.series import SourceSeries, derived_uid
from healer.slides.answer import ANSWER
from healer.slides.scoring import TileResult
from healer.slides.slide_screener import TILES, TISSUE
from healer.slides.tiles import read_tiles

Json = dict[str, Any]
MANUFACTURER = "Healer"
MODEL_NAME = "healer slide"
NOT_VERIFIED = "Preliminary and unverified. Research use only, not for diagnosis."


@dataclass(frozen=True, slots=True)
class FinishedSlide:
    """`document` is what `slide.json` says. `tissue` is None in folders of older versions."""

    document: Json
    tiles: Sequence[TileResult]
    tissue: NDArray[np.bool_] | None

    @classmethod
    def in_folder(cls, folder: Path) -> FinishedSlide:
        """Raises OSError and ValueError where it is not finished."""
        document = json.loads((folder / ANSWER).read_text(encoding="utf-8"))
        mask = folder / TISSUE
        tissue = np.asarray(Image.open(mask)) > 0 if mask.is_file() else None
        return cls(document, read_tiles(folder / TILES), tissue)

    @property
    def verdict(self) -> str:
        return str(self.document["verdict"])

    @property
    def sentence(self) -> str:
        """What was read. That nothing was found is said of the area that was read alone."""
        read = self.document["coverage"]["read_mm2"]
        if self.verdict == "no":
            return f"Cancer not detected in the area read, {read:.2f} mm². {NOT_VERIFIED}"
        return f"{self.document['sentence']} {read:.2f} mm² were read. {NOT_VERIFIED}"


@dataclass(frozen=True)
class ResultContext:
    """One answer for one series. `run` is everything that the answer depends on, so that the same
    answer has the same UIDs and another model's has others."""

    slide: FinishedSlide
    series: SourceSeries
    codes: CodeBook

    @cached_property
    def run(self) -> str:
        run = {**self.slide.document["run"], "verdict": self.slide.verdict}
        return json.dumps([run, self.series.series_uid, self.series.instances], sort_keys=True)

    def uid(self, *what: str) -> UID:
        return derived_uid(self.run, *what)

    @property
    def model(self) -> Json:
        model: Json = self.slide.document["model"]
        return model

    @property
    def device_uid(self) -> UID:
        """Of this version with this model, whatever slide it reads."""
        return derived_uid("device", __version__, self.model["id"], str(self.model.get("revision")))

    @property
    def parameters(self) -> dict[str, str]:
        document = self.slide.document
        return {
            "model revision": str(self.model.get("revision")),
            "calibration of tiles": str(self.model.get("calibration")),
            "calibration of slides": str(document["slide_calibration"]),
            "question": str(document["question"]),
        }

    def algorithm(self) -> AlgorithmIdentificationSequence:
        return AlgorithmIdentificationSequence(
            name=self.model["id"],
            family=self.codes["artificial_intelligence"],
            version=__version__,
            source=MANUFACTURER,
            parameters=self.parameters,
        )

    def series_of(self, kind: str, number: int, instance: int = 1) -> dict[str, Any]:
        """What every result object is called and where it belongs."""
        now = datetime.now(UTC).astimezone()
        return {
            "series_instance_uid": self.uid("series", kind),
            "series_number": number,
            "sop_instance_uid": self.uid("instance", kind, str(instance)),
            "instance_number": instance,
            "manufacturer": MANUFACTURER,
            "manufacturer_model_name": MODEL_NAME,
            "software_versions": __version__,
            "device_serial_number": self.device_uid[-16:],
            "series_description": f"Healer: {kind} (preliminary, unverified)",
            "content_date": now.date(),
            "content_time": now.time().replace(microsecond=0),
        }
