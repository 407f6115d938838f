"""A text of several pictures, of a server that may refuse so many."""

from __future__ import annotations

import numpy as np
import pytest

from healer.engines.base import MultiImageEngine
from healer.engines.openai.engine import OpenAIEngine
from healer.engines.openai.errors import images_allowed
from healer.engines.openai.prompt import png
from healer.errors import TooManyPictures, UpstreamUnsuited
from healer.images.tile import Tile
from tests.engines.openai.conftest import Open
from tests.engines.openai.upstream import MODEL, Upstream, answered

TEXT = "What do the pictures show?"
PICTURES = [Tile(np.full((64, 64, 3), shade, np.uint8)) for shade in (250, 200, 150, 100)]


def written(engine: OpenAIEngine) -> str:
    return "".join(engine.write(TEXT, PICTURES, 300))


def test_the_text_comes_first_then_every_picture(upstream: Upstream, engine: OpenAIEngine) -> None:
    assert isinstance(engine, MultiImageEngine)
    upstream.words = "Glands fuse [patch 1]. Mucus [patch 4]."
    assert written(engine) == upstream.words
    request = upstream.requests[-1]
    (message,) = request["messages"]
    text, *pictures = message["content"]
    assert text == {"type": "text", "text": TEXT}
    assert [each["image_url"]["url"] for each in pictures] == list(map(png, PICTURES))
    assert (request["model"], request["max_tokens"], request["temperature"]) == (MODEL, 300, 0)


def test_125_pictures_go_in_one_request_in_their_order(
    upstream: Upstream, engine: OpenAIEngine
) -> None:
    pictures = [Tile(np.full((8, 8, 3), number, np.uint8)) for number in range(125)]
    upstream.words = "Glands fuse [patch 125]."
    assert "".join(engine.write(TEXT, pictures, 300)) == upstream.words
    (message,) = upstream.requests[-1]["messages"]
    _, *sent = message["content"]
    assert [each["image_url"]["url"] for each in sent] == list(map(png, pictures))


def test_a_window_that_holds_125_pictures_admits_them(opened: Open) -> None:
    with Upstream(cards=[{"id": MODEL, "max_model_len": 33_300}]) as upstream:
        assert opened(upstream)._known.pictures_that_fit == 125


def test_thoughts_are_left_out(upstream: Upstream, engine: OpenAIEngine) -> None:
    upstream.words = "<think>Are these glands?</think>Glands fuse [patch 1]."
    assert written(engine) == "Glands fuse [patch 1]."


def test_a_model_that_thinks_is_kept_from_it_here_too(opened: Open) -> None:
    thinks = {"thinks": "<think>", "stopped_by": frozenset({"opening"})}
    with Upstream(**thinks) as upstream:  # type: ignore[arg-type]
        engine = opened(upstream)
        assert written(engine).strip()
        *_, last = upstream.requests[-1]["messages"]
    assert last["role"] == "assistant"
    assert last["content"].startswith("<think>")
    assert upstream.requests[-1]["continue_final_message"] is True


@pytest.mark.parametrize(
    ("words", "most"),
    [
        ("At most 2 image(s) may be provided in one prompt.", 2),
        ("This model's maximum context length is 8192 tokens. However, you requested 33000.", 2),
        ("the request exceeds the available context size", 2),
    ],
)
def test_the_limit_of_the_server_is_found_in_its_refusal(
    upstream: Upstream, engine: OpenAIEngine, words: str, most: int
) -> None:
    upstream.faults.append(answered(400, words=words))
    with pytest.raises(TooManyPictures) as refusal:
        written(engine)
    assert (refusal.value.shown, refusal.value.most) == (4, most)
    assert words[:40] in str(refusal.value)


def test_another_refusal_stays_what_it_is(upstream: Upstream, engine: OpenAIEngine) -> None:
    upstream.faults.append(answered(400, words="this model sees no images"))
    with pytest.raises(UpstreamUnsuited, match="sees no images"):
        written(engine)


def test_the_window_that_a_list_states_is_kept_to(opened: Open) -> None:
    with Upstream(cards=[{"id": MODEL, "max_model_len": 1400}]) as upstream:
        engine = opened(upstream)
        before = len(upstream.requests)
        with pytest.raises(TooManyPictures) as refusal:
            written(engine)
        assert refusal.value.most == 2
        assert len(upstream.requests) == before


@pytest.mark.parametrize(
    ("words", "shown", "allowed"),
    [
        ("At most 16 image(s) may be provided in one request.", 125, 16),
        ("Too many images: 125. Maximum is 100.", 125, 100),
        ("This model supports up to 8 images per request", 125, 8),
        ("The number of images exceeds the limit of 20", 125, 20),
        ("status 413: Request Entity Too Large", 100, 50),
        ("Input length exceeds max_model_len 4096", 9, 4),
        ("the image cannot be decoded", 9, None),
    ],
)
def test_refusals(words: str, shown: int, allowed: int | None) -> None:
    assert images_allowed(words, shown) == allowed
