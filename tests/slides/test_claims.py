from __future__ import annotations

import pytest

from healer.questions.base import Answer
from healer.slides.claims import Claim, DropReason, checked, claims_in, contradicts, numbers_in


@pytest.mark.parametrize(
    ("text", "claims"),
    [
        ("Glands fuse [patch 3].", [("Glands fuse.", (3,))]),
        ("Glands fuse. [patch 3]", [("Glands fuse.", (3,))]),
        ("Glands fuse. [Patch 3].\nMucus [patch 4].", [("Glands fuse.", (3,)), ("Mucus.", (4,))]),
        ("Glands fuse. [patch 3] Mucus [patch 4].", [("Glands fuse.", (3,)), ("Mucus.", (4,))]),
        ("[patch 3] Glands fuse. [patch 4] Mucus.", [("Glands fuse.", (3,)), ("Mucus.", (4,))]),
        (
            "Glands, e.g. large ones (patches 1, 2 and 5).",
            [("Glands, e.g. large ones.", (1, 2, 5))],
        ),
        ("- **Glands** fuse [patches 2-4].", [("Glands fuse.", (2, 3, 4))]),
        ("Patch 7 shows mucus.", [("Patch 7 shows mucus.", (7,))]),
        ("Glands [patch 1] beside mucus [patch 2].", [("Glands beside mucus.", (1, 2))]),
        ("Read as cancer.", [("Read as cancer.", ())]),
    ],
)
def test_sentences_are_found_with_their_patches(
    text: str, claims: list[tuple[str, tuple[int, ...]]]
) -> None:
    assert [(claim.text, claim.patches) for claim in claims_in(text)] == claims


def test_a_sentence_without_an_end_was_cut_off() -> None:
    assert [claim.ended for claim in claims_in("It ends. [patch 1] It does [patch 2] not")] == [
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("text", "numbers"), [("3", [3]), ("1, 3 and 5–7", [1, 3, 5, 6, 7]), ("1-9999", [1, 9999])]
)
def test_numbers(text: str, numbers: list[int]) -> None:
    assert numbers_in(text) == numbers


PRESENT = [
    "Irregular glands of adenocarcinoma infiltrate the wall.",
    "Invasive carcinoma without necrosis is seen.",
    "There is no ulcer, and adenocarcinoma infiltrates the stroma.",
    "There is no ulcer, adenocarcinoma infiltrates the stroma.",
    "No normal glands remain in the carcinoma.",
    "Malignancy cannot be excluded.",
    "The stroma is desmoplastic.",
    "This is without doubt a malignant process.",
    "Not only mucus but also tumor cells are seen.",
    "Infiltrating irregular glands are seen.",
]
ABSENT = [
    "There is no evidence of malignancy.",
    "No dysplasia, ulceration, or malignancy is seen.",
    "Carcinoma is not identified.",
    "The mucosa is benign.",
    "Negative for high-grade dysplasia or carcinoma.",
    "The change is reactive rather than malignant.",
    "All fields show normal mucosa.",
    "The epithelium is non-malignant.",
]
NEITHER = [
    "Crypts are evenly spaced with goblet cells.",
    "Nuclei are enlarged and crowded.",
    "Lymphocytes infiltrate the lamina propria.",
    "Normal mucosa lies at the edge.",
]


@pytest.mark.parametrize("sentence", PRESENT)
def test_a_no_is_not_contradicted(sentence: str) -> None:
    assert contradicts(sentence, Answer.NO)
    assert contradicts(sentence, Answer.INDETERMINATE)


@pytest.mark.parametrize("sentence", ABSENT)
def test_a_yes_is_not_contradicted(sentence: str) -> None:
    assert contradicts(sentence, Answer.YES)
    assert contradicts(sentence, Answer.INDETERMINATE)


@pytest.mark.parametrize("sentence", NEITHER)
@pytest.mark.parametrize("verdict", list(Answer))
def test_what_says_neither_stands(sentence: str, verdict: Answer) -> None:
    assert not contradicts(sentence, verdict)


def test_what_bears_the_verdict_out_stands() -> None:
    agreeing = [PRESENT[0], PRESENT[1], PRESENT[5], PRESENT[8]]
    assert not any(contradicts(sentence, Answer.YES) for sentence in agreeing)
    denying = [ABSENT[0], ABSENT[1], ABSENT[2], ABSENT[4]]
    assert not any(contradicts(sentence, Answer.NO) for sentence in denying)


def test_reasons_are_counted() -> None:
    assert DropReason.NO_PATCH.counted(1) == "1 names no patch"
    assert [reason.counted(2).split()[1] for reason in DropReason] == [
        *("name", "name", "contradict", "repeat", "were")
    ]


def test_each_dropped_sentence_says_why() -> None:
    claims = [
        Claim("Glands fuse.", (1,)),
        Claim("Glands fuse.", (2,)),
        Claim("Mucus is seen.", ()),
        Claim("Crypts are even.", (9,)),
        Claim("No malignancy is seen.", (2,)),
        Claim("The nuclei", (2,), ended=False),
    ]
    kept, dropped = checked(claims, 3, Answer.YES)
    assert kept == claims[:1]
    assert [each.reason for each in dropped] == [
        DropReason.REPEATED,
        DropReason.NO_PATCH,
        DropReason.UNKNOWN_PATCH,
        DropReason.CONTRADICTION,
        DropReason.CUT_OFF,
    ]
