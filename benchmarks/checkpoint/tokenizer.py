"""The tokenizer of a random checkpoint: a small one of Gemma's kind, or a real one copied in."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from healer.engines.vlm.prompt import encode
from healer.questions.colorectal import COLORECTAL_CANCER

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SPECIAL = {
    "pad_token": "<pad>",
    "eos_token": "<eos>",
    "bos_token": "<bos>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
    "sot_token": "<start_of_turn>",
    "eot_token": "<end_of_turn>",
    "boi_token": "<start_of_image>",
    "eoi_token": "<end_of_image>",
    "image_token": "<image_soft_token>",
}
IMAGE = ("boi_token", "eoi_token", "image_token")
TURNS = ("sot_token", "eot_token")
FORMS = [lead + form for lead in ("", " ") for form in ("yes", "Yes", "YES", "no", "No", "NO")]
FILLER = (
    " Look",
    " at",
    " the",
    " glands",
    " and",
    " the",
    " nuclei",
    " before",
    " you",
    " answer.",
)
CORPUS = [*FORMS * 50, *[COLORECTAL_CANCER.text, "".join(FILLER), "user\n", "model\n", "\n\n"] * 20]
COPIED = (
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
)
# Says what Gemma's own template says for one user turn with an image.
CHAT_TEMPLATE = """{{ bos_token }}{% for message in messages -%}
{{ '<start_of_turn>' + message['role'] + '\n' }}
{%- for part in message['content'] -%}
{{ '<start_of_image>' if part['type'] == 'image' else part['text'] | trim }}
{%- endfor -%}
{{ '<end_of_turn>\n' }}
{%- endfor -%}
{%- if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif -%}
"""


def write_tokenizer(folder: Path, corpus: Sequence[str] = CORPUS) -> int:
    """Trains a byte-fallback BPE as Gemma's, always the same; returns how many tokens it has."""
    from tokenizers import AddedToken, Regex, Tokenizer, normalizers, pre_tokenizers
    from tokenizers.models import BPE
    from tokenizers.trainers import BpeTrainer

    tokenizer = Tokenizer(BPE(unk_token=SPECIAL["unk_token"], fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"▁?\w+|\n+|[^\w\n]"), "isolated")
    specials: list[str | AddedToken] = [AddedToken(t, special=True) for t in SPECIAL.values()]
    single = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = BpeTrainer(vocab_size=800, special_tokens=specials + single, show_progress=False)
    tokenizer.train_from_iterator(corpus, trainer)
    state = json.loads(tokenizer.to_str())
    state["added_tokens"] = [t for t in state["added_tokens"] if t["content"] in SPECIAL.values()]
    tokenizer = as_gemma(Tokenizer.from_str(json.dumps(state)))
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(config(), indent=2))
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    return tokenizer.get_vocab_size()


def as_gemma(tokenizer: Tokenizer) -> Tokenizer:
    from tokenizers import decoders, pre_tokenizers
    from tokenizers.processors import TemplateProcessing

    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    bos = SPECIAL["bos_token"]
    tokenizer.post_processor = TemplateProcessing(
        single=f"{bos} $A", special_tokens=[(bos, tokenizer.token_to_id(bos))]
    )
    return tokenizer


def config() -> dict[str, object]:
    named = {key: token for key, token in SPECIAL.items() if key not in TURNS}
    return named | {
        "tokenizer_class": "GemmaTokenizer",
        "processor_class": "Gemma3Processor",
        "extra_special_tokens": {key: SPECIAL[key] for key in IMAGE},
        "add_bos_token": True,
        "add_eos_token": False,
        "clean_up_tokenization_spaces": False,
    }


def copy(source: Path, folder: Path) -> None:
    for name in COPIED:
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)


def load_tokenizer(folder: Path) -> Tokenizer:
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def special_ids(folder: Path) -> dict[str, int]:
    tokenizer = load_tokenizer(folder)
    return {key: int(tokenizer.token_to_id(token) or 0) for key, token in SPECIAL.items()}


def question_of(folder: Path, image_tokens: int, prompt_tokens: int | None) -> tuple[str, int]:
    """A question whose prompt comes to `prompt_tokens`, or to the fewest more; and its length."""
    tokenizer, text = load_tokenizer(folder), COLORECTAL_CANCER.text
    words = 0
    while (length := len(encode(tokenizer, text, image_tokens).ids)) < (prompt_tokens or 0):
        text += FILLER[words % len(FILLER)]
        words += 1
    return text, length
