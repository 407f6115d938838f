from __future__ import annotations

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit

from healer.engines.vlm.sentence import NO_EXPLANATION, one_sentence
from healer.engines.vlm.thinking import ENDS, empty_thought, mark_of, without_thoughts


@pytest.mark.parametrize("cut", [1, 2, 5, 100])
@pytest.mark.parametrize("mark", list(ENDS))
def test_thoughts_are_left_out_however_the_text_is_cut(mark: str, cut: int) -> None:
    text = f"The glands {mark}thought\nSo < 3 [of] them.{ENDS[mark]}are <b>crowded</b> < 5 [see]."
    pieces = [text[at : at + cut] for at in range(0, len(text), cut)]
    assert "".join(without_thoughts(pieces)) == "The glands are <b>crowded</b> < 5 [see]."


@pytest.mark.parametrize("cut", [1, 3, 100])
@pytest.mark.parametrize(
    "text", ["thought\nThe user", " Thought \nIt", "thought", "<think>It", "<unused94>"]
)
def test_one_that_is_never_ended_leaves_no_words(text: str, cut: int) -> None:
    pieces = [text[at : at + cut] for at in range(0, len(text), cut)]
    assert list(without_thoughts(pieces)) == []
    assert list(one_sentence("Yes, because", pieces)) == [NO_EXPLANATION]


def test_a_hidden_mark_may_show_its_end() -> None:
    assert "".join(without_thoughts(["thought", "\nIt <unused95>", "Yes."])) == "Yes."


@pytest.mark.parametrize(
    "text", ["thoughtful\nwords", " thought to be so", "a thought\n", "", "<unused9"]
)
def test_other_words_stay(text: str) -> None:
    assert "".join(without_thoughts(list(text))) == text
    assert mark_of(text) is None


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("<unused94>thought\nThe", "<unused94>"),
        (" <think>", "<think>"),
        ("thought\nThe user", "thought"),
        ("thought", "thought"),
        ("<|channel|>analysis<|message|>", "<|channel|>analysis"),
    ],
)
def test_a_mark_is_known_by_how_a_text_begins(text: str, mark: str) -> None:
    assert mark_of(text) == mark


def test_an_empty_thought_stands_where_one_would_begin() -> None:
    tokenizer = Tokenizer(WordLevel({"thought": 0, "yes": 1}))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    assert empty_thought(tokenizer, 0) == []
    tokenizer.add_tokens(["<unused94>", "<unused95>"])
    assert empty_thought(tokenizer, 2) == [2, 0, 3]
    assert empty_thought(tokenizer, 1) == []
