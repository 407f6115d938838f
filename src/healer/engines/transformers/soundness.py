"""Does what was loaded give usable numbers?

Gemma 3 in 8-bit has been seen to write gibberish or nothing, and names of modules to leave alone
have silently ceased to match; so what was loaded is checked, not what was configured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from healer.engines.vlm.answer_tokens import mass
from healer.errors.engine import ModelUnsound
from healer.images.tile import Tile

if TYPE_CHECKING:
    from healer.engines.transformers.model import Gemma

# A working model puts nearly all its probability on yes or no; gibberish next to none.
SENSIBLE_MASS = 0.01


def check_report(model_id: str, report: dict[str, Any]) -> None:
    """Every weight came from the checkpoint: transformers fills a missing one with noise."""
    for problem in ("missing_keys", "mismatched_keys", "error_msgs"):
        if names := sorted(map(str, report[problem])):
            what = problem.replace("_", " ")
            raise ModelUnsound(model_id, f"{len(names)} {what}, {names[0]} first")


def check_layers(model_id: str, model: Any) -> None:  # noqa: ANN401
    """Every linear layer of the language model is 8-bit, and no other is."""
    from bitsandbytes.nn.modules import Linear8bitLt

    language = set(model.model.language_model.modules())
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and isinstance(module, Linear8bitLt) != (
            module in language
        ):
            kind = type(module).__name__
            raise ModelUnsound(model_id, f"{name} is {kind}, so 8-bit took the wrong layers")


def check_answers(model_id: str, gemma: Gemma) -> float:
    """The probability of yes or no, in [0, 1], on a known tile; its logits must be finite."""
    if not (gemma.answers.yes and gemma.answers.no):
        raise ModelUnsound(model_id, "its tokenizer has no single token for yes or for no")
    logits, _ = gemma.prefill([soundness_tile()])
    if not bool(logits.isfinite().all()):
        raise ModelUnsound(model_id, "a known tile gives logits that are not finite")
    return mass(logits[0].numpy(force=True), gemma.answers)


def soundness_tile() -> Tile:
    """Noise around the pink of eosin, the same on every machine."""
    noise = np.random.default_rng(0).normal((230, 170, 200), 12, (224, 224, 3))
    return Tile(noise.clip(0, 255).astype(np.uint8))
