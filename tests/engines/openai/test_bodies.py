"""Each form that bodies come in is read, or quoted to the operator."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr
from starlette.responses import Response

from healer import errors
from healer.engines.base import Answer
from healer.engines.openai.engine import OpenAIEngine
from healer.engines.openai.errors import complaint_in, words_in
from healer.engines.openai.prompt import png
from healer.images.tile import Tile
from healer.questions.colorectal import COLORECTAL_CANCER
from tests.engines.openai.conftest import BRIEF, Open
from tests.engines.openai.upstream import KEY, MODEL, Fault, Upstream, event, replied

PINK = Tile(np.full((64, 64, 3), (230, 170, 200), np.uint8))
LOST = {"error": "the cat ate it"}


def body(status: int, text: str, kind: str = "application/json") -> Fault:
    return lambda: Response(text, status, media_type=kind)


BODIES = [
    ('{"error": {"message": "too wide"}}', "too wide"),
    ('{"error": "too wide"}', "too wide"),
    ('{"message": "too wide"}', "too wide"),
    ('{"detail": "too wide"}', "too wide"),
    ('{"detail": {"error": {"msg": "too wide"}}}', "too wide"),
    (
        '{"detail": [{"loc": ["body", "top_logprobs"], "msg": "too wide", "input": "secret"}]}',
        "body.top_logprobs: too wide",
    ),
    ('{"errors": ["too wide"]}', '"errors": ["too wide"'),
    ('"too wide"', "too wide"),
    ("too\n wide", "too wide"),
    ("<html><style>p {}</style><h1>502</h1><p>too wide</p></html>", "502 too wide"),
]


@pytest.mark.parametrize(("text", "quoted"), BODIES)
def test_a_refusal_is_quoted(
    upstream: Upstream, engine: OpenAIEngine, text: str, quoted: str
) -> None:
    upstream.faults.append(body(400, text))
    with pytest.raises(errors.UpstreamUnsuited) as raised:
        engine.score([PINK])
    assert f"status 400: {quoted}" in str(raised.value)


@pytest.mark.parametrize("status", [413, 422, 401, 403, 404, 500, 503])
def test_it_is_quoted_whatever_its_status(upstream: Upstream, opened: Open, status: int) -> None:
    engine = opened(upstream, replace(BRIEF, attempts=1))
    upstream.faults.append(body(status, '{"error": "too wide"}'))
    with pytest.raises(errors.UpstreamError) as raised:
        engine.score([PINK])
    assert f"status {status}: too wide" in str(raised.value)


@pytest.mark.parametrize("status", [400, 500])
def test_a_refusal_without_words_is_reported_by_its_status(
    upstream: Upstream, opened: Open, status: int
) -> None:
    engine = opened(upstream, replace(BRIEF, attempts=1))
    upstream.faults.append(body(status, ""))
    with pytest.raises(errors.UpstreamError, match=f"status {status}[.] "):
        engine.score([PINK])


@pytest.mark.parametrize(
    ("content", "kind", "words"),
    [
        (LOST, errors.UpstreamError, "answered 200 with an error: the cat ate it"),
        ({"error": {"message": "gone", "code": 404}}, errors.UpstreamModelUnknown, "gone"),
        ({"error": {"message": "no", "code": "401"}}, errors.UpstreamKeyRejected, "error: no"),
        ({"error": {"message": "wide", "code": 400}}, errors.UpstreamUnsuited, "error: wide"),
        ({"object": "error", "message": "wide", "code": 400}, errors.UpstreamUnsuited, "wide"),
        ({"error": {"code": "x"}, "choices": []}, errors.UpstreamError, "without a word"),
        ({"detail": "later"}, errors.UpstreamError, "error: later"),
        ({"error": {"message": "slow", "code": 429}}, errors.UpstreamBusy, "slow"),
        ({"error": {"message": "ill", "code": 503}}, errors.UpstreamUnreachable, "ill"),
    ],
)
def test_an_error_that_came_as_a_success_is_one(
    upstream: Upstream,
    engine: OpenAIEngine,
    content: object,
    kind: type[errors.UpstreamError],
    words: str,
) -> None:
    upstream.faults.extend([replied(content)] * BRIEF.attempts)
    with pytest.raises(errors.UpstreamError, match=words) as raised:
        engine.score([PINK])
    assert type(raised.value) is kind


def test_a_transient_error_is_retried(upstream: Upstream, engine: OpenAIEngine) -> None:
    upstream.faults.append(replied(LOST))
    assert engine.score([PINK])[0].margin > 0


@pytest.mark.parametrize("streamed", [True, False])
def test_an_error_instead_of_an_explanation_is_quoted(
    upstream: Upstream, engine: OpenAIEngine, streamed: bool
) -> None:
    (evidence,) = engine.score([PINK])
    fields = f"data: {json.dumps(LOST)}\n\n" if streamed else json.dumps(LOST)
    kind = "text/event-stream" if streamed else "application/json"
    upstream.faults.append(body(200, fields, kind))
    with pytest.raises(errors.UpstreamError, match="an error: the cat ate it"):
        list(engine.explain(evidence, Answer.YES))


@pytest.mark.parametrize(
    "content",
    [
        " they crowd.",
        [{"type": "text", "text": " they "}, {"type": "text", "text": "crowd."}],
        [" they crowd."],
        [
            {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
            {"text": " they crowd."},
        ],
    ],
)
@pytest.mark.parametrize("streamed", [True, False])
def test_words_may_come_in_parts_and_all_at_once(
    upstream: Upstream, engine: OpenAIEngine, content: object, streamed: bool
) -> None:
    (evidence,) = engine.score([PINK])
    if streamed:
        content = event({"delta": {"content": content}, "finish_reason": "stop"})
        upstream.faults.append(body(200, content, "text/event-stream"))
    else:
        upstream.faults.append(replied({"choices": [{"message": {"content": content}}]}))
    sentence = "".join(engine.explain(evidence, Answer.YES))
    assert sentence == "Yes, colorectal cancer is present in this image because they crowd."


def test_a_verdict_is_read_beside_content_in_parts_and_nulls(
    upstream: Upstream, engine: OpenAIEngine
) -> None:
    listed = [{"token": "Yes", "logprob": -0.1}, {"token": "No", "logprob": None}]
    upstream.faults.append(
        replied(
            {
                "error": None,
                "choices": [
                    {
                        "message": {"content": [{"type": "text", "text": "Yes"}], "role": None},
                        "logprobs": {"content": [{"logprob": None, "top_logprobs": listed}]},
                        "delta": None,
                    }
                ],
                "usage": None,
                "system_fingerprint": upstream.fingerprint,
            }
        )
    )
    (evidence,) = engine.score([PINK])
    assert evidence.margin > 0
    assert evidence.mass == pytest.approx(0.905, abs=0.001)


def test_a_body_of_no_known_form_is_quoted(upstream: Upstream, engine: OpenAIEngine) -> None:
    upstream.faults.append(replied({"choices": "none today"}))
    with pytest.raises(errors.UpstreamUnsuited, match=r"choices: .*it says: .*none today"):
        engine.score([PINK])


@pytest.mark.parametrize(
    "listing",
    [
        lambda cards: cards,
        lambda cards: {"data": cards, "models": [{"name": "other"}]},
        lambda cards: {"models": cards},
        lambda cards: {"models": [{"name": card["id"], "owned_by": None} for card in cards]},
        lambda cards: [card["id"] for card in cards],
    ],
)
def test_a_list_of_models_has_many_forms(opened: Open, listing: Any) -> None:  # noqa: ANN401
    with Upstream(listing=listing) as upstream:
        engine = opened(upstream)
        assert engine.info.model_id == MODEL
        assert engine.trouble() is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (LOST, "the cat ate it"),
        ({"detail": "not today"}, "not today"),
        ({"data": "not today"}, "data: .*it says: .*not today"),
        ({"data": [{"colour": "blue"}]}, r"data\.0\.id: .*blue"),
    ],
)
def test_a_list_of_no_known_form_is_quoted(upstream: Upstream, content: object, words: str) -> None:
    upstream.listing = lambda _: content
    with pytest.raises(errors.UpstreamError, match=words):
        OpenAIEngine.load(upstream.url, COLORECTAL_CANCER, retries=BRIEF)


@pytest.mark.parametrize("status", [400, 422, 500])
@pytest.mark.parametrize("most", [5, 10])
def test_fewer_likeliest_tokens_are_requested_whatever_the_refusal(
    opened: Open, status: int, most: int
) -> None:
    with Upstream(most_listed=most, too_many=status) as upstream:
        engine = opened(upstream)
        assert engine.trouble() is None
        engine.score([PINK])
        assert upstream.requests[-1]["top_logprobs"] == most


def test_a_passing_500_does_not_make_it_fewer(
    upstream: Upstream, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_whole = upstream._whole
    failed: list[dict[str, Any]] = []

    def once(body: dict[str, Any]) -> dict[str, object]:
        if body.get("top_logprobs") and not failed:
            failed.append(body)
            raise RuntimeError
        return answer_whole(body)

    monkeypatch.setattr(upstream, "_whole", once)
    opened(upstream).score([PINK])
    assert failed
    assert upstream.requests[-1]["top_logprobs"] == 20


def test_a_server_that_fails_at_everything_is_unreachable_and_not_unsuited(
    upstream: Upstream,
) -> None:
    upstream.most_listed, upstream.too_many = 0, 500
    with pytest.raises(errors.UpstreamUnreachable, match="status 500: at most 0"):
        OpenAIEngine.load(upstream.url, COLORECTAL_CANCER, retries=BRIEF)


@pytest.mark.parametrize("field", ["continue_final_message", "grammar"])
def test_a_500_for_a_field_that_is_not_known_is_a_no(
    upstream: Upstream, opened: Open, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    upstream.continues = False
    whole = upstream._whole

    def strict(body: dict[str, Any]) -> dict[str, object]:
        if field in body:
            raise RuntimeError
        return whole(body)

    monkeypatch.setattr(upstream, "_whole", strict)
    assert opened(upstream).score([PINK])[0].margin > 0


SECRETS = [
    KEY,
    KEY[:6] + "****",
    f"Bearer {KEY}",
    png(PINK),
    png(PINK).partition(",")[2],
    "hf_abcdefghijklmn",
    "sk-another-customer-1",
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    ("status", "form"),
    [
        (200, '{{"error": "not with {}, please"}}'),
        (400, '{{"input": "{}"}}'),
        (401, '{{"error": "not with {}, please"}}'),
        (500, "{}"),
    ],
)
def test_no_secret_is_ever_quoted(
    upstream: Upstream, opened: Open, secret: str, form: str, status: int
) -> None:
    engine = opened(upstream, replace(BRIEF, attempts=1), key=SecretStr(KEY))
    upstream.faults.append(body(status, form.format(secret)))
    with pytest.raises(errors.UpstreamError) as raised:
        engine.score([PINK])
    shown = str(raised.value)
    for each in (KEY[:6], png(PINK)[30:70], "abcdefgh", "customer"):
        assert each not in shown
    if "please" in form:
        assert "please" in shown


def test_an_address_is_quoted_without_its_password() -> None:
    sentence = words_in(b'{"error": "no http://me:pw@there/v1 here"}')
    assert sentence == "no http://…there/v1 here"


def test_what_is_long_is_cut_and_what_is_deep_does_not_matter() -> None:
    sentence = words_in(json.dumps({"error": "word " * 500}).encode())
    assert len(sentence) == 200
    assert sentence.endswith("…")
    deep = b'{"error":' * 3000 + b'"x"' + b"}" * 3000
    assert len(words_in(deep)) <= 200
    assert len(words_in(b"[" * 100_000)) <= 200
    complaint_in(deep)
    assert complaint_in(b'{"choices": [{}]}') is None
