"""llama.cpp through llama-cpp-python, on a GGUF of the same checkpoint.

`gguf/` in the checkpoint's folder holds `model.gguf` (Q8_0) and `mmproj.gguf` (the vision tower),
which llama.cpp's `convert_hf_to_gguf.py` makes, without and with `--mmproj`.
"""

from __future__ import annotations

import base64
import io
import os
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from llama_cpp import Llama
from llama_cpp import llama_chat_format as formats
from PIL import Image

from benchmarks.errors import SystemMissing
from benchmarks.medgemma.systems import RunSpec, Tick

if TYPE_CHECKING:
    from healer.images.tile import Tile

NAME = "llama.cpp"
CONTEXT = 1024


class LlamaCpp:
    def __init__(self, model: Any) -> None:  # noqa: ANN401
        self._model = model
        self.versions = {"llama-cpp-python": version("llama-cpp-python")}
        self.prompt_tokens = 0

    def answer(self, tile: Tile, question: str, tokens: int, tick: Tick) -> None:
        """Its stream has a piece a token; ends of an answer are made impossible."""
        self._model.reset()
        stream = self._model.create_chat_completion(
            [{"role": "user", "content": [picture(tile), {"type": "text", "text": question}]}],
            max_tokens=tokens + 1,
            temperature=0.0,
            stream=True,
            logit_bias={self._model.token_eos(): -1e9},
        )
        for piece in stream:
            if "content" in piece["choices"][0]["delta"]:
                tick()
        self.prompt_tokens = self._model.n_tokens - tokens


def picture(tile: Tile) -> dict[str, object]:
    stream = io.BytesIO()
    Image.fromarray(tile.pixels).save(stream, "PNG", compress_level=0)
    data = base64.b64encode(stream.getvalue()).decode()
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}


def load(spec: RunSpec) -> LlamaCpp:
    model, projector = (spec.folder / name for name in ("model.gguf", "mmproj.gguf"))
    if not (model.is_file() and projector.is_file()):
        raise SystemMissing(NAME, f"{spec.folder} holds no model.gguf and mmproj.gguf")
    handler = getattr(formats, "MTMDChatHandler", None)
    if handler is None:
        raise SystemMissing(
            NAME, "this llama-cpp-python has no MTMDChatHandler for images; install 0.3.36"
        )
    threads = spec.threads or len(os.sched_getaffinity(0))
    return LlamaCpp(
        Llama(
            model_path=str(model),
            chat_handler=handler(clip_model_path=str(projector), verbose=False),
            n_ctx=CONTEXT,
            n_threads=threads,
            n_threads_batch=threads,
            verbose=False,
        )
    )
