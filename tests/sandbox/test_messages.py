from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from healer import errors
from healer.quality.gate import GateReport, Reason
from healer.sandbox.protocol import (
    ImageRefused,
    LoadedImage,
    LoaderFailed,
    LoadReply,
    SharedBuffer,
    encode_message,
)

REPLIES: TypeAdapter[LoadReply] = TypeAdapter(LoadReply)
REPORT = GateReport((Reason("too_small", 3.0, 64.0, "Too small."),), {"shorter_side": 3.0})


@pytest.mark.parametrize(
    "reply",
    [
        LoadedImage(3, 4, 0.5, REPORT, {"decode": 0.1}),
        LoadedImage(3, 4, None, None, {}),
        ImageRefused.of(errors.TooManyPixels(9, 9, 80)),
        LoaderFailed("Traceback"),
        LoaderFailed("Traceback", errno=24),
    ],
)
def test_a_reply_arrives_as_it_was_sent(reply: LoadReply) -> None:
    assert REPLIES.validate_json(encode_message(reply)) == reply


@pytest.mark.parametrize(
    "sent", [b"", b"[]", b"{}", b'{"height": "tall"}', b"\x80\x04.", b'{"height": 1, "width": 2}']
)
def test_anything_else_is_no_reply(sent: bytes) -> None:
    with pytest.raises(ValidationError):
        REPLIES.validate_json(sent)


@pytest.mark.parametrize("kind", ["HealerError", "ModelNotReady"])
def test_only_a_refusal_is_made_from_a_name(kind: str) -> None:
    with pytest.raises(TypeError):
        ImageRefused(kind, {}).error()


def test_a_shared_buffer_holds_what_was_written_and_no_more() -> None:
    buffer = SharedBuffer.new()
    buffer.write(b"\1\2\3" * 4)
    assert buffer.read(3) == b"\1\2\3"
    assert buffer.pixels(2, 2)[..., 1].tolist() == [[2, 2], [2, 2]]
    with pytest.raises(EOFError):
        buffer.pixels(2, 3)
    buffer.wipe()
    with pytest.raises(EOFError):
        buffer.read(1)
    buffer.close()
