"""What tells one served model from another: some fields of its card, and no others.

Servers say much of a model that changes while it stays the same (llama.cpp's router: `status`,
when it loads or sleeps), so only what names a model, and what describes its weights, is looked at.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from healer.engines.openai.replies import Card
from healer.engines.vlm.prompt import short_hash

NAMES = ("id", "owned_by", "root", "parent", "revision", "digest", "quantization")
# In `meta`, which llama.cpp tells only while a model is loaded.
OF_WEIGHTS = ("n_params", "size", "n_vocab", "n_embd", "vocab_type", "ftype")
Identity = Mapping[str, object]


def identity(card: Card) -> Identity:
    """What is not told is left out."""
    told = card.model_dump()
    meta = told.get("meta")
    described = {f"meta.{name}": meta.get(name) for name in OF_WEIGHTS} if meta else {}
    named = {name: told.get(name) for name in NAMES}
    return {name: value for name, value in (named | described).items() if value is not None}


def same(met: Identity, now: Identity) -> bool:
    """Names must be the same; weights only where both describe them."""
    if any(met.get(name) != now.get(name) for name in NAMES):
        return False
    return all(met[name] == now[name] for name in met.keys() & now.keys())


def revision(url: str, met: Identity, fingerprint: str | None) -> str:
    """Short, and another one for another server, model or fingerprint."""
    told = json.dumps([url, met, fingerprint], sort_keys=True, default=str)
    return f"{met.get('owned_by') or 'unnamed'}-{short_hash(told)}"
