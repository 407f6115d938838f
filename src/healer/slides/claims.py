"""What a model wrote of numbered patches, as sentences that name theirs; and which of them stand.

A sentence stands where it names patches that were shown and does not contradict the verdict on
cancer. The rule reads words, not meaning, and so drops rather too much than too little.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from healer.engines.vlm.sentence import LIST_MARKER, PUNCTUATION, ends_sentence, plain
from healer.questions.base import Answer

NUMBERS = r"#?\d+(?:\s*(?:,|;|&|and|to|[-–—])\s*(?:and\s*)?(?:patch(?:es)?\s*)?#?\d+)*"
LINK = re.compile(rf"[\[(]\s*patch(?:es)?\s*({NUMBERS})\s*[\])]", re.IGNORECASE)
MENTION = re.compile(rf"\bpatch(?:es)?\s*({NUMBERS})", re.IGNORECASE)
RANGE = re.compile(r"(\d+)\s*(?:to|[-–—])\s*(?:patch\s*)?#?(\d+)", re.IGNORECASE)
MARK = "\x00"  # begins a word that stands for a link
LONGEST_RANGE = 125

CANCER = (
    r"(?:(?:adeno)?carcinoma(?:s|tous)?|cancer(?:s|ous)?|malignan\w+|invasion|invasive|invad\w+"
    r"|metasta\w+|tumou?r(?:s|ous|al)?|desmoplas\w+"
    r"|infiltrat(?:ing|ive) (?:\w+ )?(?:glands?|epitheli\w+|cells?|nests?))\b"
)
ANY_CANCER = re.compile(rf"\b(?P<non>non-?)?{CANCER}", re.IGNORECASE)
# "No evidence of dysplasia or malignancy": only such words may stand between a denial and what it
# denies, lest "no normal glands remain in the carcinoma" counts as one.
BETWEEN = (
    r"(?:evidence|signs?|features?|indications?|suggest\w*|suspicio\w+|findings?|foc(?:us|i)"
    r"|definite|convincing|clear|obvious|unequivocal|overt|frank|any|an?|of|for|to|or|nor"
    r"|high-grade|low-grade|dysplas\w+|adenoma\w*|atypia|ulcer\w*|necrosis|stromal|glandular"
    rf"|colorectal|colonic|submucosal|lymphovascular|vascular|perineural|{CANCER})"
)
NOT_ASSERTED = re.compile(
    r"\b(?:no|without|negative for|free (?:of|from)|absence of|lacks?|lacking|lack of|neither|nor)"
    rf"\s+(?:(?:{BETWEEN},?\s+)*n?or\s+)?(?:{BETWEEN}\s+)*{CANCER}",
    re.IGNORECASE,
)
DENIED_AFTER = re.compile(
    r"[\s:]*(?:is|are|was|were|can be)?\s*(?:none\b|absent\b|unlikely\b|excluded\b|ruled out\b"
    r"|not (?:seen|identified|present|found|evident|observed|detected|visible)\b)",
    re.IGNORECASE,
)
DENIAL = re.compile(
    r"\b(?:no(?!\s+doubt)|not(?!\s+(?:only|just))|none|without(?!\s+doubt)|never|neither|nor"
    r"|negative for|absence of|lacks?|lacking|lack of|free (?:of|from)|fails? to|rather than"
    r"|unlikely|exclud\w+|rul(?:e|es|ed) out)\b|n't\b",
    re.IGNORECASE,
)
# "Cannot be excluded" raises the possibility.
NOT_EXCLUDED = re.compile(
    r"\b(?:cannot|can not|can't|not)\s+(?:be\s+)?(?:\w+ly\s+)?(?:excluded?|ruled? out)\b",
    re.IGNORECASE,
)
BENIGN = re.compile(
    r"\b(?:benign|non-?neoplastic|unremarkable|healthy)\b"
    r"|\b(?:all|entirely|completely|only|wholly)\s+(?:\w+\s+){0,2}normal\b|\bnormal\b.*\bthroughout\b",
    re.IGNORECASE,
)
# Behind these a denial before them no longer holds.
TURNS = re.compile(
    r"[;:]|\b(?:but|however|although|though|whereas|while|yet|instead|except)\b", re.IGNORECASE
)


class DropReason(StrEnum):
    NO_PATCH = "names no patch"
    UNKNOWN_PATCH = "names a patch that was not shown"
    CONTRADICTION = "contradicts the verdict"
    REPEATED = "repeats an earlier sentence"
    CUT_OFF = "was cut off"

    def counted(self, count: int) -> str:
        """What is so of `count` sentences."""
        verb, _, rest = self.value.partition(" ")
        return f"{count} {verb if count == 1 else PLURALS[verb]} {rest}"


PLURALS = {"names": "name", "contradicts": "contradict", "repeats": "repeat", "was": "were"}


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence without its links, and the numbers of the patches that it rests on."""

    text: str
    patches: tuple[int, ...]
    ended: bool = True


@dataclass(frozen=True, slots=True)
class Dropped:
    text: str
    reason: DropReason


def claims_in(text: str) -> list[Claim]:
    """Sentences in their order; a link behind a full stop belongs to the sentence before it."""
    claims: list[Claim] = []
    for line in LINK.sub(_marked, text).splitlines():
        words: list[str] = []
        links: list[int] = []
        for word in line.split():
            if word.startswith(MARK):
                numbers = [int(number) for number in word[1:].split(",")]
                if not words and claims and not claims[-1].patches:
                    claims[-1] = replace(claims[-1], patches=tuple(numbers))
                else:
                    links += numbers
                continue
            shown = plain(word)
            if not shown or (not words and _no_word(shown)):
                continue
            words.append(shown)
            if ends_sentence(shown):
                claims.append(_claim(words, links, ended=True))
                words, links = [], []
        if words:
            claims.append(_claim(words, links, ended=False))
    return [replace(each, patches=each.patches or _mentioned(each.text)) for each in claims]


def _marked(link: re.Match[str]) -> str:
    return f" {MARK}{','.join(map(str, numbers_in(link[1])))} "


def _no_word(shown: str) -> bool:
    return LIST_MARKER.fullmatch(shown) is not None or not shown.strip(PUNCTUATION)


def _claim(words: Sequence[str], links: Sequence[int], *, ended: bool) -> Claim:
    text = re.sub(r"\s+([.,;:!?])", r"\1", " ".join(words))
    return Claim(text, tuple(dict.fromkeys(links)), ended)


def numbers_in(text: str) -> list[int]:
    """Of "1, 3 and 5-7"; a range longer than the patches of any slide counts as its ends."""
    found: list[int] = []
    for first, last in RANGE.findall(text):
        if 0 < int(last) - int(first) <= LONGEST_RANGE:
            found += range(int(first), int(last) + 1)
    return sorted({*found, *map(int, re.findall(r"\d+", text))})


def _mentioned(text: str) -> tuple[int, ...]:
    """Patches that a sentence names in its own words."""
    found = [number for each in MENTION.finditer(text) for number in numbers_in(each[1])]
    return tuple(dict.fromkeys(found))


def checked(
    claims: Sequence[Claim], shown: int, verdict: Answer
) -> tuple[list[Claim], list[Dropped]]:
    """The claims that stand where patches 1 to `shown` were shown, and the others with why."""
    kept: list[Claim] = []
    dropped: list[Dropped] = []
    said: set[str] = set()
    for claim in claims:
        reason = _reason_to_drop(claim, shown, verdict)
        if reason is None and claim.text.casefold() in said:
            reason = DropReason.REPEATED
        said.add(claim.text.casefold())
        if reason is None:
            kept.append(claim)
        else:
            dropped.append(Dropped(claim.text, reason))
    return kept, dropped


def _reason_to_drop(claim: Claim, shown: int, verdict: Answer) -> DropReason | None:
    if contradicts(claim.text, verdict):
        return DropReason.CONTRADICTION
    if not claim.ended:
        return DropReason.CUT_OFF
    if not claim.patches:
        return DropReason.NO_PATCH
    if any(not 1 <= number <= shown for number in claim.patches):
        return DropReason.UNKNOWN_PATCH
    return None


def contradicts(sentence: str, verdict: Answer) -> bool:
    """Whether it says that there is cancer, or none, against the verdict. Where the verdict is
    open, a sentence may say neither."""
    if verdict is Answer.YES:
        return denies_cancer(sentence)
    if verdict is Answer.NO:
        return asserts_cancer(sentence)
    return denies_cancer(sentence) or asserts_cancer(sentence)


def asserts_cancer(sentence: str) -> bool:
    """A word for cancer outside of a plain denial, or one that is not excluded."""
    if ANY_CANCER.search(sentence) and NOT_EXCLUDED.search(sentence):
        return True
    denied = [each.span() for each in NOT_ASSERTED.finditer(sentence)]
    return any(
        not found["non"]
        and not DENIED_AFTER.match(sentence, found.end())
        and not any(start <= found.start() < end for start, end in denied)
        for found in ANY_CANCER.finditer(sentence)
    )


def denies_cancer(sentence: str) -> bool:
    """A denial before a word for cancer or just behind it, or words for health."""
    return bool(BENIGN.search(sentence)) or any(
        found["non"]
        or DENIED_AFTER.match(part, found.end())
        or DENIAL.search(part, 0, found.start())
        for part in TURNS.split(sentence)
        for found in ANY_CANCER.finditer(part)
    )
