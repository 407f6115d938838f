"""What a server says is wrong, in its own words: found in any form of body, short, no secrets.

Bodies may send our request back, so the image and the key are taken out before anything is quoted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

LONGEST = 200
LOOKED_AT = 20_000  # bytes of a body that is no JSON
DEEPEST = 8  # levels of JSON
CODES = range(400, 600)
# Where the sentence stands, the likeliest place first.
SENTENCES = ("message", "msg", "detail", "error", "title", "description", "reason")
TAG = re.compile(r"<(script|style)\b.*?</\1>|<[^<>]+>", re.IGNORECASE | re.DOTALL)
DATA_URL = re.compile(r"data:[\w/+.-]*[;,][^\s\"'<>]*")
ENCODED = re.compile(r"[A-Za-z0-9+/_=-]{64,}")
CREDENTIAL = re.compile(r"\b(?:Bearer|Basic)\s+\S+|\b(?:sk|hf|gsk|nvapi)[-_]\w[\w-]{7,}")
IN_ADDRESS = re.compile(r"(?<=://)[^\s/@]+@")
LEFT_OUT = "…"
LEAST_SHARED = 4  # letters that a word must share with the key to be taken for a piece of it


@dataclass(frozen=True, slots=True)
class Complaint:
    """`code` is the HTTP status that a body names, whatever status it was sent with."""

    words: str
    code: int | None = None


def complaint_in(body: bytes | str) -> Complaint | None:
    """Of a body that came as a success; None where it is none."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, Mapping):
        return None
    instead = "choices" not in told and (told.get("detail") or told.get("object") == "error")
    if not told.get("error") and not instead:
        return None
    return Complaint(" ".join(_sentences(told)), _code(told))


def words_in(body: bytes, key: str = "") -> str:
    """Of a refusal, fit to be quoted; empty where it holds no words."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return quotable(TAG.sub(" ", body[:LOOKED_AT].decode("utf-8", "replace")), key)
    return quotable(" ".join(_sentences(told)) or json.dumps(told, ensure_ascii=False), key)


def quotable(words: str, key: str = "") -> str:
    """One short line without the image, `key` or anything that looks like another secret."""
    for pattern in (DATA_URL, CREDENTIAL, IN_ADDRESS):
        words = pattern.sub(LEFT_OUT, words)
    plain = "".join(letter if letter.isprintable() else " " for letter in words)
    kept = [
        LEFT_OUT if _shows(word, key) else ENCODED.sub(LEFT_OUT, word) for word in plain.split()
    ]
    line = " ".join(kept).strip("{}[] ")
    return line if len(line) <= LONGEST else line[: LONGEST - 1].rstrip() + LEFT_OUT


def _shows(word: str, key: str) -> bool:
    """Whether it is the key, or holds its beginning: some servers hide only the rest."""
    if len(key) <= LEAST_SHARED:
        return bool(key) and word.strip("\"'.,:;()") == key
    return key[: max(LEAST_SHARED, len(key) // 4)] in word


def _sentences(told: Any, depth: int = DEEPEST) -> Iterator[str]:  # noqa: ANN401 - JSON
    if not depth:
        return
    if isinstance(told, str):
        yield told
    elif isinstance(told, list):
        for each in told:
            yield from _sentences(each, depth - 1)
    elif isinstance(told, Mapping):
        place = next((told[name] for name in SENTENCES if told.get(name)), None)
        field = told.get("loc")
        where = ".".join(map(str, field)) + ": " if isinstance(field, list) else ""
        for sentence in _sentences(place, depth - 1):
            yield where + sentence


def _code(told: Mapping[str, Any]) -> int | None:
    """Of the error itself or beside it."""
    error = told.get("error")
    for place in (error if isinstance(error, Mapping) else {}, told):
        for name in ("code", "status", "status_code"):
            try:
                code = int(place.get(name) or 0)
            except (TypeError, ValueError):
                continue
            if code in CODES:
                return code
    return None
