from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from healer.files.spelling import escaped, from_bytes, json_safe, to_bytes


def test_a_name_that_is_no_utf_8_is_written_escaped_and_others_as_they_are() -> None:
    assert escaped("M\udcfcller.png") == r"M\xfcller.png"
    assert escaped("Müller\n.png") == "Müller\n.png"
    assert escaped("\ud800") == r"\ud800"


@settings(deadline=None)
@given(st.binary(max_size=20))
def test_names_come_back_as_they_were(name: bytes) -> None:
    text = from_bytes(name)
    assert to_bytes(text) == name
    written = json_safe(json.dumps({"path": text}, ensure_ascii=False))
    assert json.loads(written.encode())["path"] == text
    escaped(text).encode()
