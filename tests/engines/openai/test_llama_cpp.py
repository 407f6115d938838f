"""Against a real OpenAI-compatible server: llama.cpp's, with a tiny Gemma 3 that sees.

llama-cpp-python takes long to compile, so it is no dependency. With it:

    pip install 'llama-cpp-python[server]==0.3.36'        # here or elsewhere
    HEALER_TEST_LLAMA_CPP=/elsewhere/bin/python pytest tests/engines/openai/test_llama_cpp.py -rA
"""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
from pydantic import SecretStr

from healer.engines.base import Answer, Engine
from healer.engines.openai.client import RetryPolicy
from healer.engines.openai.engine import OpenAIEngine
from healer.images.tile import Tile
from healer.questions.colorectal import COLORECTAL_CANCER
from healer.screening.screener import Screener
from tests.engines.conformance import EngineConformance

KEY = "sk-local"
MODEL = "tiny"
# Gemma's own template closes every turn and opens another (`goes_on` is false); where it is true,
# a last turn of the model's goes on.
TEMPLATE = """{{ bos_token }}{% set goes_on = GOES_ON and messages[-1].role == 'assistant' -%}
{% for message in messages -%}
{{ '<start_of_turn>' + message.role.replace('assistant', 'model') + '\n' -}}
{% if message.content is string %}{{ message.content }}{% else -%}
{% for part in message.content -%}
{{ '<start_of_image>' if part.type == 'image' else part.text | trim }}
{%- endfor %}{% endif -%}
{% if not (goes_on and loop.last) %}{{ '<end_of_turn>\n' }}{% endif -%}
{% endfor -%}
{% if not goes_on %}{{ '<start_of_turn>model\n' }}{% endif -%}
"""
TEMPLATES = {
    "grammar": TEMPLATE.replace("GOES_ON", "false"),
    "prefill": TEMPLATE.replace("GOES_ON", "true"),
}


def python() -> str:
    """One that can run the server; the test is skipped where there is none."""
    if named := os.environ.get("HEALER_TEST_LLAMA_CPP"):
        return named
    if all(importlib.util.find_spec(name) for name in ("llama_cpp", "starlette_context")):
        return sys.executable
    pytest.skip("no llama-cpp-python[server]: see this file's head")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Taught to say yes to pink and no to white."""
    python()
    pytest.importorskip("torch")
    pytest.importorskip("gguf")
    from tests.gemma import make_checkpoint

    return make_checkpoint(tmp_path_factory.mktemp("gemma"), taught=True)


@contextmanager
def serving(checkpoint: Path, template: str) -> Iterator[str]:
    """The address of llama.cpp's server with the checkpoint and this chat template."""
    from benchmarks.checkpoint.gguf import convert

    (checkpoint / "chat_template.jinja").write_text(template)
    place = convert(checkpoint, "f32", "f32")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = {
        "model": place / "model.gguf",
        "clip_model_path": place / "mmproj.gguf",
        "chat_format": "mtmd",
        "model_alias": MODEL,
        "n_ctx": 512,
        "n_threads": 1,
        "n_threads_batch": 1,
        "logits_all": True,  # or there are no log-probabilities
        "interrupt_requests": False,  # or a new question cuts an explanation short
        "api_key": KEY,
        "port": port,
    }
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    command = [python(), "-m", "llama_cpp.server", *words]
    with (checkpoint / "server.log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}/v1"
    try:
        wait_for(server, url, checkpoint / "server.log")
        yield url
    finally:
        server.kill()
        server.wait()


def wait_for(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    while server.poll() is None:
        try:
            httpx.get(f"{url}/models", headers={"Authorization": f"Bearer {KEY}"})
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(log.read_text(encoding="utf-8")[-3000:])


@pytest.fixture(scope="module", params=list(TEMPLATES))
def engine(request: pytest.FixtureRequest, checkpoint: Path) -> Iterator[OpenAIEngine]:
    with serving(checkpoint, TEMPLATES[request.param]) as url:
        opened = OpenAIEngine.load(
            url, COLORECTAL_CANCER, key=SecretStr(KEY), retries=RetryPolicy(timeout=120)
        )
        try:
            assert opened._known.forcing == request.param
            yield opened
        finally:
            opened.close()


class TestConformance(EngineConformance):
    pass


def test_it_says_what_it_was_taught(engine: Engine) -> None:
    from tests.gemma import PINK, WHITE

    assert isinstance(engine, OpenAIEngine)
    assert engine.trouble() is None
    pink, white = Screener(engine).screen([PINK, WHITE])
    for each in (engine.info, pink.verdict, pink.prediction, white.verdict, white.prediction):
        print(each)  # noqa: T201
    assert (pink.verdict.answer, white.verdict.answer) == (Answer.YES, Answer.NO)
    assert pink.explanation.endswith("because the glands are crowded, e.g. 0.5 µm apart.")
    assert white.explanation.startswith("No, colorectal cancer is not seen in this image because")


def test_margins_are_those_of_the_same_prompt_in_transformers(
    engine: Engine, checkpoint: Path
) -> None:
    """llama.cpp sets no line breaks around an image, where Gemma's own processor sets two on either
    side; with that prompt transformers comes to the same margins."""
    from tests.gemma import PINK, WHITE

    smooth = np.linspace(0, 255, 112 * 112 * 3).reshape(112, 112, 3)
    for tile in (PINK, WHITE, Tile(smooth.astype(np.uint8))):
        ours, theirs = engine.score([tile])[0].margin, margin_without_breaks(checkpoint, tile)
        print(f"{ours:.3f} from llama.cpp, {theirs:.3f} from transformers")  # noqa: T201
        assert ours == pytest.approx(theirs, abs=0.05)


def margin_without_breaks(checkpoint: Path, tile: Tile) -> float:
    import torch
    from transformers import Gemma3ForConditionalGeneration

    from healer.engines.vlm.prompt import find_answer_tokens, margin
    from tests.gemma import load_processor, prompt_inputs

    processor = load_processor(checkpoint)
    model = Gemma3ForConditionalGeneration.from_pretrained(checkpoint, dtype=torch.float32)
    inputs = prompt_inputs(processor, tile)
    words = processor.tokenizer.convert_ids_to_tokens(inputs["input_ids"][0])
    first, last = words.index("<start_of_image>"), words.index("<end_of_image>")
    breaks = (first - 2, last + 1)
    assert [words[at] for at in breaks] == ["\n\n", "\n\n"]
    remaining = [at for at in range(len(words)) if at not in breaks]
    for name in ("input_ids", "attention_mask", "token_type_ids"):
        inputs[name] = inputs[name][:, remaining]
    with torch.no_grad():
        logits = model(**inputs).logits[0, -1].float().numpy()
    return margin(logits, find_answer_tokens(processor.tokenizer.backend_tokenizer))
