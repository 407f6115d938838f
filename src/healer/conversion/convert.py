"""A finished download into a folder that the OpenVINO engine serves."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from typing import Any

import openvino as ov

from healer import __version__
from healer.conversion.checkpoint import Checkpoint, read_config
from healer.conversion.describe import check_prompt, describe, load_processor
from healer.conversion.language import build_language
from healer.conversion.request import (
    ConversionRequest,
    Files,
    Parts,
    check_disk,
    check_memory,
    listed,
    stored_bytes,
    working_bytes,
)
from healer.conversion.verify import Verification, check_tolerance
from healer.conversion.vision import build_vision
from healer.engines.openvino.conversion_record import (
    LANGUAGE,
    TOKENIZER,
    VISION,
    Converted,
    Weights,
    check_conversion,
    write_conversion,
)
from healer.errors import ConversionIncomplete, ConversionTaken
from healer.weights.manifest import Manifest, check_folder, is_empty

GRAPHS = 1  # counts up when the graphs change, so that older parts are not taken up again


def convert(order: ConversionRequest) -> Converted:
    """Converts, verifies and installs; a killed run goes on where it stopped, and a finished
    conversion of the same download is left as it is.

    Raises ModelIncomplete, ModelAltered, NotConvertible, ConversionAltered, ConversionTaken,
    ConversionDiskFull, MemoryTooSmall or ConversionInaccurate.
    """
    found = check_folder(order.source)
    return finished(order, found) or Conversion(order, found).run()


def finished(order: ConversionRequest, found: Manifest) -> Converted | None:
    """What `out` holds, where that is what was ordered. Raises ConversionTaken for a stranger's."""
    try:
        there = check_conversion(order.out)
    except ConversionIncomplete:
        if not is_empty(order.out):
            raise ConversionTaken(str(order.out), "holds something else") from None
        return None
    converted = (there.source.model_id, there.source.revision, there.source.adapter)
    same = converted == (found.model_id, found.revision, found.adapter)
    return there if same and there.precision.language == order.weights else None


class Conversion:
    """Reads no weights until it runs. Raises NotConvertible."""

    def __init__(self, order: ConversionRequest, found: Manifest) -> None:
        self._order, self._model_id = order, found.model_id
        self._config: Any = read_config(order.source, found.model_id)
        self._checkpoint = Checkpoint(order.source, found.model_id)
        processor = load_processor(order.source)
        self._about = describe(found, order.source, self._config, processor, order.weights)
        hashes = sorted((file.name, file.sha256) for file in found.files)
        self._parts = Parts(order.work, (GRAPHS, __version__, ov.__version__, hashes))
        self._verification = Verification(order, self._about, self._config, self._parts)
        check_prompt(processor, self._verification.prompt, order.question, found.model_id)

    def run(self) -> Converted:
        order = self._order
        order.work.mkdir(parents=True, exist_ok=True)
        self._check_room()
        files = [*self._vision(), *self._language()]
        shutil.copyfile(order.source / TOKENIZER, order.work / TOKENIZER)
        files.append(listed(order.work / TOKENIZER))
        parity = self._verification.run()
        check_tolerance(parity, self._model_id)
        record = Converted(**dict(self._about), parity=parity, files=tuple(files))
        self._install(record)
        return record

    def _check_room(self) -> None:
        order, checkpoint = self._order, self._checkpoint
        kept = sum(file.stat().st_size for file in order.work.iterdir())
        check_disk(order.work, stored_bytes(checkpoint, order.weights) - kept)
        check_memory(self._model_id, working_bytes(checkpoint, order.weights))

    def _vision(self) -> Files:
        step = self._order.steps("vision", self._config.vision_config.num_hidden_layers)
        kind, image = self._about.precision.vision, self._about.image
        build = partial(build_vision, self._checkpoint, self._config, image, kind, step)
        return self._graph(VISION, build, kind)

    def _language(self) -> Files:
        step = self._order.steps("language", self._config.text_config.num_hidden_layers + 1)
        kind = self._about.precision.language
        build = partial(build_language, self._checkpoint, self._config, kind, step)
        return self._graph(LANGUAGE, build, kind)

    def _graph(self, name: str, build: Callable[[], ov.Model], kind: Weights) -> Files:
        xml = self._order.work / name
        weights = xml.with_suffix(".bin")

        def write() -> None:
            ov.serialize(build(), xml, weights)

        return self._parts.make(xml.stem, (xml.name, weights.name), write, kind)

    def _install(self, record: Converted) -> None:
        """The folder is in its place at once, with its record; an older one goes after that."""
        order = self._order
        keep = {file.name for file in record.files}
        for path in order.work.iterdir():
            if path.name not in keep:
                path.unlink()
        write_conversion(order.work, record)
        older = order.out.with_name(f"{order.out.name}.replaced")
        shutil.rmtree(older, ignore_errors=True)
        if order.out.exists():
            order.out.rename(older)
        order.work.rename(order.out)
        shutil.rmtree(older, ignore_errors=True)
