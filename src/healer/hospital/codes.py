"""Every code that leaves Healer, with where it is from.

A scheme whose licence a site does not hold is switched off (HEALER_CODES): Healer's own codes,
which mean the same, then stand in its place.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from pydicom.sr.coding import Code

from healer.engines.base import Answer
from healer.settings.hospital import NO_CODES

SNOMED, LOINC, DICOM, UNITS, OWN = "SCT", "LN", "DCM", "UCUM", "99HEALER"
LICENSED = (SNOMED, LOINC)  # DICOM's and UCUM's codes are free
SYSTEMS = {
    SNOMED: "http://snomed.info/sct",
    LOINC: "http://loinc.org",
    DICOM: "http://dicom.nema.org/resources/ontology/DCM",
    UNITS: "http://unitsofmeasure.org",
    OWN: "https://healer.invalid/codes",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """`own` is the value that stands in for a scheme that is switched off."""

    value: str
    scheme: str
    meaning: str
    own: str
    source: str


_SNOMED = "SNOMED CT International Edition"
_DICOM = "DICOM PS3.16, Annex D"
_OWN = "Healer"
TABLE: dict[str, Entry] = {
    "adenocarcinoma": Entry(
        "1187332001",
        SNOMED,
        "Adenocarcinoma",
        "adenocarcinoma",
        f"{_SNOMED}; 35917007 was inactivated in 2022",
    ),
    "abnormal": Entry(
        "49755003", SNOMED, "Morphologically abnormal structure", "abnormal", _SNOMED
    ),
    "colon": Entry("71854001", SNOMED, "Colon", "colon", _SNOMED),
    "rectum": Entry("34402009", SNOMED, "Rectum", "rectum", _SNOMED),
    "tissue": Entry("85756007", SNOMED, "Tissue", "tissue", "DICOM PS3.16, CID 7150"),
    "area": Entry("42798000", SNOMED, "Area", "area", "DICOM PS3.16, CID 7461"),
    "suspected": Entry("415684004", SNOMED, "Suspected", "suspected", _SNOMED),
    "not_detected": Entry("260415000", SNOMED, "Not detected", "not-detected", _SNOMED),
    "indeterminate": Entry("82334004", SNOMED, "Indeterminate", "indeterminate", _SNOMED),
    "pathology_report": Entry(
        "60568-3", LOINC, "Pathology Synoptic report", "pathology-report", "LOINC 2.77"
    ),
    "cancer_probability": Entry("111047", DICOM, "Probability of cancer", "", _DICOM),
    "finding": Entry("121071", DICOM, "Finding", "", _DICOM),
    "comment": Entry("121106", DICOM, "Comment", "", _DICOM),
    "artificial_intelligence": Entry("123110", DICOM, "Artificial Intelligence", "", _DICOM),
    "percent": Entry("%", UNITS, "Percent", "", "UCUM"),
    "mm2": Entry("mm2", UNITS, "square millimeter", "", "UCUM"),
    "one": Entry("1", UNITS, "no units", "", "UCUM"),
    "count": Entry("{tiles}", UNITS, "tiles", "", "UCUM"),
    "verdict": Entry("verdict", OWN, "Cancer in the area read", "", _OWN),
    "second_answer": Entry("second-answer", OWN, "Dysplasia or cancer in the area read", "", _OWN),
    "score": Entry("score", OWN, "Score of the slide, not a probability", "", _OWN),
    "precursor_score": Entry("precursor-score", OWN, "Score of a suspected precursor", "", _OWN),
    "precursor": Entry("precursor", OWN, "Suspected precursor lesion", "", _OWN),
    "area_read": Entry("area-read", OWN, "Area of tissue that was read", "", _OWN),
    "tissue_area": Entry("tissue-area", OWN, "Area of tissue on the slide", "", _OWN),
    "share_read": Entry("share-read", OWN, "Share of the tissue that was read", "", _OWN),
    "positive_area": Entry("positive-area", OWN, "Area of tissue in suspicious tiles", "", _OWN),
    "tiles": Entry("tiles", OWN, "Number of tiles", "", _OWN),
}
VERDICTS = {
    Answer.YES: "suspected",
    Answer.NO: "not_detected",
    Answer.INDETERMINATE: "indeterminate",
}


@dataclass(frozen=True, slots=True)
class CodeBook:
    """`schemes` are the licensed ones that may be used."""

    schemes: frozenset[str] = frozenset(LICENSED)

    @classmethod
    def of(cls, setting: str) -> CodeBook:
        return cls(frozenset() if setting == NO_CODES else frozenset(setting.split(",")))

    def __getitem__(self, name: str) -> Code:
        entry = TABLE[name]
        if entry.scheme in LICENSED and entry.scheme not in self.schemes:
            return Code(entry.own, OWN, entry.meaning)
        return Code(entry.value, entry.scheme, entry.meaning)

    def verdict(self, answer: str) -> Code:
        return self[VERDICTS[Answer(answer)]]


def value_in(codes: Collection[str], value: str) -> str | None:
    """The name of the one of `codes` that has this value."""
    return next((name for name in codes if TABLE[name].value == value), None)
