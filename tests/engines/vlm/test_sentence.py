from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.engines.vlm.sentence import NO_EXPLANATION, one_sentence

OPENING = "Yes, because"


def sentence_of(*pieces: str) -> str:
    return "".join(one_sentence(OPENING, pieces))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (" the glands are crowded.", "the glands are crowded."),
        (" the glands are crowded", "the glands are crowded."),
        (" the glands are crowded. The lumen is not.", "the glands are crowded."),
        (" they are 0.5 mm apart. So there.", "they are 0.5 mm apart."),
        (" of atypia, e.g. mitoses. So there.", "of atypia, e.g. mitoses."),
        (" of spread (cf. H. pylori) here. So there.", "of spread (cf. H. pylori) here."),
        (" of H&E. It is pink.", "of H&E."),
        (" is it? It is.", "is it."),
        (" look! There.", "look."),
        (" well… who knows. Me.", "well."),
    ],
)
def test_ends_at_the_end_of_the_sentence(text: str, sentence: str) -> None:
    assert sentence_of(text) == f"{OPENING} {sentence}"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (" the **glands** are `crowded`.", "the glands are crowded."),
        (" of:\n\n* **Glands:** crowded\n* Lumen: gone", "of: Glands: crowded."),
        ("\n\n1. the glands are crowded\n2. more", "the glands are crowded."),
        ("\n- the glands\n", "the glands."),
        (" the glands\nare something else", "the glands."),
        (" # it is [crowded](https://example.org) <b>here</b>.", "it is crowded here."),
        (' the "glands" are “crowded.”', "the glands are crowded."),
        (" the\u200b gla\ufffdnds\x07.", "the glands."),
    ],
)
def test_is_plain_text_on_one_line(text: str, sentence: str) -> None:
    assert sentence_of(text) == f"{OPENING} {sentence}"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (" it is very very dense.", "it is very very dense."),
        (" it is very very very very dense.", "it is very."),
        (" in the gland and the gland of it.", "in the gland and the gland of it."),
        (" of glands in a row of glands in a row of glands in a row", "of glands in a row."),
        (" of the old. " + "x" * 46, "of the old."),
        (" of old " + "gu" * 50, "of old."),
    ],
)
def test_cuts_a_loop_where_it_starts(text: str, sentence: str) -> None:
    assert sentence_of(text) == f"{OPENING} {sentence}"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (" the glands are crowded, and the", "the glands are crowded."),
        (" the glands, with", "the glands."),
        (" of what they are.", "of what they are."),
    ],
)
def test_leaves_no_word_hanging_where_it_was_cut(text: str, sentence: str) -> None:
    assert sentence_of(text) == f"{OPENING} {sentence}"


@pytest.mark.parametrize("text", ["", " ", "\n\n", "**", "...", " the", "gu" * 50])
def test_no_words_is_reported_so(text: str) -> None:
    assert sentence_of(text) == NO_EXPLANATION


def test_requests_no_more_than_it_needs() -> None:
    def pieces() -> Iterator[str]:
        yield from (" the", " end", ".", " More")
        pytest.fail("the sentence had ended")

    assert "".join(one_sentence(OPENING, pieces())) == f"{OPENING} the end."


def test_words_come_as_they_are_certain() -> None:
    pieces = iter([" the", " gla", "nds", " are", " crowded", " here", "."])
    assert list(one_sentence(OPENING, pieces)) == [
        f"{OPENING} the glands",
        " are crowded",
        " here",
        ".",
    ]


WORDS = st.lists(st.sampled_from(["a", "gland", "e.g.", "0.5", "and", "**", "\n", ",", ".", "ß"]))


@given(WORDS, st.integers(1, 5))
def test_pieces_do_not_matter(words: list[str], size: int) -> None:
    text = " ".join(words)
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    sentence = sentence_of(*pieces)
    assert sentence == sentence_of(text)
    assert "\n" not in sentence
    assert sentence.endswith(".")
    assert "*" not in sentence
