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
    file_record,
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
    is_older,
    write_conversion,
)
from healer.errors.engine import ConversionIncomplete, ConversionTaken
from healer.weights.manifest import OURS, Manifest, check_folder, is_empty

GRAPHS = 3  # counts up when the graphs change, so that older parts are not reused


def convert(request: ConversionRequest) -> Converted:
    """Converts, verifies and installs; a killed run is resumed, and a finished conversion of the
    same download is left as it is.

    Raises ModelIncomplete, ModelAltered, NotConvertible, ConversionAltered, ConversionTaken,
    ConversionDiskFull, MemoryTooSmall or ConversionInaccurate.
    """
    manifest = check_folder(request.source)
    return finished(request, manifest) or Conversion(request, manifest).run()


def finished(request: ConversionRequest, manifest: Manifest) -> Converted | None:
    """The conversion in `out`, where it is the requested one; None where there is none, or another
    that is replaced. Raises ConversionTaken."""
    try:
        there = check_conversion(request.out)
    except ConversionIncomplete:
        if not is_empty(request.out) and not is_older(request.out):
            raise ConversionTaken(str(request.out), "holds something else") from None
        return None
    converted = (there.source.model_id, there.source.revision, there.source.adapter)
    same = converted == (manifest.model_id, manifest.revision, manifest.adapter)
    return there if same and there.precision.language == request.weights else None


class Conversion:
    """Reads no weights until it runs. Raises NotConvertible."""

    def __init__(self, request: ConversionRequest, manifest: Manifest) -> None:
        self._request, self._model_id = request, manifest.model_id
        self._config: Any = read_config(request.source, manifest.model_id)
        self._checkpoint = Checkpoint(request.source, manifest.model_id)
        processor = load_processor(request.source)
        self._about = describe(manifest, request.source, self._config, processor, request.weights)
        hashes = sorted((file.name, file.sha256) for file in manifest.files)
        self._parts = Parts(request.work, (GRAPHS, __version__, ov.__version__, hashes))
        self._verification = Verification(request, self._about, self._config, self._parts)
        check_prompt(processor, self._verification.prompt, request.question, manifest.model_id)

    def run(self) -> Converted:
        request = self._request
        request.work.mkdir(parents=True, exist_ok=True)
        self._check_resources()
        files = [*self._vision(), *self._language()]
        shutil.copyfile(request.source / TOKENIZER, request.work / TOKENIZER)
        files.append(file_record(request.work / TOKENIZER))
        about, parity = self._verification.run()
        check_tolerance(parity, self._model_id)
        record = Converted(**dict(about), parity=parity, files=tuple(files))
        self._install(record)
        return record

    def _check_resources(self) -> None:
        request, checkpoint = self._request, self._checkpoint
        resumed = sum(file.stat().st_size for file in request.work.iterdir())
        check_disk(request.work, stored_bytes(checkpoint, request.weights) - resumed)
        check_memory(self._model_id, working_bytes(checkpoint, request.weights))

    def _vision(self) -> Files:
        step = self._request.steps("vision", self._config.vision_config.num_hidden_layers)
        kind, image = self._about.precision.vision, self._about.image
        build = partial(build_vision, self._checkpoint, self._config, image, kind, step)
        return self._graph(VISION, build, kind)

    def _language(self) -> Files:
        step = self._request.steps("language", self._config.text_config.num_hidden_layers + 1)
        kind = self._about.precision.language
        build = partial(build_language, self._checkpoint, self._config, kind, step)
        return self._graph(LANGUAGE, build, kind)

    def _graph(self, name: str, build: Callable[[], ov.Model], kind: Weights) -> Files:
        xml = self._request.work / name
        weights = xml.with_suffix(".bin")

        def write() -> None:
            ov.serialize(build(), xml, weights)

        return self._parts.make(xml.stem, (xml.name, weights.name), write, kind)

    def _install(self, record: Converted) -> None:
        """The folder is in its place at once, with its record; an older one goes after that."""
        request = self._request
        keep = {file.name for file in record.files}
        for path in request.work.iterdir():
            if path.name not in keep:
                path.unlink()
        if is_older(request.out):
            # What was fitted to it fits this one, whose numbers are the same; loading checks that.
            for file in request.out.glob(f"{OURS}calibration*"):
                shutil.copy2(file, request.work)
        write_conversion(request.work, record)
        older = request.out.with_name(f"{request.out.name}.replaced")
        shutil.rmtree(older, ignore_errors=True)
        if request.out.exists():
            request.out.rename(older)
        request.work.rename(request.out)
        shutil.rmtree(older, ignore_errors=True)
