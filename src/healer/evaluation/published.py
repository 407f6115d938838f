"""Datasets that are known by name, and what their labels mean."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from healer.errors.evaluation import LabelUnknown
from healer.files.spelling import escaped

CC_BY = "CC BY 4.0"


@dataclass(frozen=True, slots=True)
class PublishedArchive:
    """`checksum` is `md5:…` or `sha256:…`; None where none is known."""

    url: str
    size_bytes: int | None = None
    checksum: str | None = None


@dataclass(frozen=True, slots=True)
class PublishedDataset:
    """`case_pattern` finds the case in a file's name; `manual` says why Healer fetches nothing."""

    name: str
    title: str
    licence: str
    page: str
    yes: tuple[str, ...]
    no: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    archive: PublishedArchive | None = None
    manual: str = ""
    case_pattern: str | None = None
    note: str = ""


EBHI_SEG = PublishedDataset(
    name="ebhi-seg",
    title="EBHI-Seg (Shi et al., Frontiers in Medicine 2023)",
    licence=CC_BY,
    page="https://figshare.com/articles/dataset/EBHI-SEG/21540159",
    yes=("adenocarcinoma",),
    no=("high-grade-in", "low-grade-in", "serrated-adenoma", "polyp", "normal"),
    manual="it is published as a RAR archive, which Healer does not unpack",
    case_pattern=r"^(GT[^-]+)-",
    note="High-grade neoplasia is no: the question is invasive cancer.",
)
KATHER_2016 = PublishedDataset(
    name="kather2016",
    title="Kather 2016, texture tiles (Kather et al., Scientific Reports 2016)",
    licence=CC_BY,
    page="https://zenodo.org/records/53169",
    yes=("TUMOR",),
    no=("STROMA", "LYMPHO", "DEBRIS", "MUCOSA", "ADIPOSE", "EMPTY"),
    left_out=("COMPLEX",),
    archive=PublishedArchive(
        url="https://zenodo.org/records/53169/files/Kather_texture_2016_image_tiles_5000.zip",
        size_bytes=258_098_431,
        checksum="sha256:936d0b95ae0f04f1f7b18a2b7e8c55776c3e887d102f645bcee752d1a6626a32",
    ),
    case_pattern=r"CRC-Prim-HE-(\d+)",
    note="COMPLEX is stroma that may hold single tumour cells; it is neither yes nor no.",
)
NCT_CRC_HE_100K = PublishedDataset(
    name="nct-crc-he-100k",
    title="NCT-CRC-HE-100K (Kather et al., PLOS Medicine 2019)",
    licence=CC_BY,
    page="https://zenodo.org/records/1214456",
    yes=("TUM",),
    no=("ADI", "BACK", "DEB", "LYM", "MUC", "MUS", "NORM", "STR"),
    archive=PublishedArchive(
        url="https://zenodo.org/records/1214456/files/NCT-CRC-HE-100K.zip",
        size_bytes=11_690_284_003,
        checksum="md5:6fd702d11df6292bc054397ae038a464",
    ),
    note="STR is stroma beside cancer without its epithelium; it is counted as no.",
)
CRC_VAL_HE_7K = PublishedDataset(
    name="crc-val-he-7k",
    title="CRC-VAL-HE-7K (Kather et al., PLOS Medicine 2019)",
    licence=CC_BY,
    page=NCT_CRC_HE_100K.page,
    yes=NCT_CRC_HE_100K.yes,
    no=NCT_CRC_HE_100K.no,
    archive=PublishedArchive(
        url="https://zenodo.org/records/1214456/files/CRC-VAL-HE-7K.zip",
        size_bytes=800_276_929,
        checksum="md5:2fd1651b4f94ebd818ebf90ad2b6ce06",
    ),
    note=NCT_CRC_HE_100K.note,
)
PATHMNIST_CLASSES = (
    "adipose",
    "background",
    "debris",
    "lymphocytes",
    "mucus",
    "smooth muscle",
    "normal colon mucosa",
    "cancer-associated stroma",
    "colorectal adenocarcinoma epithelium",
)
PATHMNIST = PublishedDataset(
    name="pathmnist",
    title="PathMNIST (Yang et al., Scientific Data 2023)",
    licence=CC_BY,
    page="https://zenodo.org/records/10519652",
    yes=PATHMNIST_CLASSES[-1:],
    no=PATHMNIST_CLASSES[:-1],
    archive=PublishedArchive(
        url="https://zenodo.org/records/10519652/files/pathmnist.npz",
        checksum="md5:a8b06965200029087d5bd730944a56c1",
    ),
    note=(
        "Its test part is CRC-VAL-HE-7K reduced to 28 × 28 pixels: too little to judge tissue by. "
        "A larger edition (pathmnist_224.npz) can be given by its path."
    ),
)
LC25000 = PublishedDataset(
    name="lc25000",
    title="LC25000 (Borkowski et al., arXiv 1912.12142)",
    licence="not stated by the publisher",
    page="https://github.com/tampapath/lung_colon_image_set",
    yes=("colon_aca",),
    no=("colon_n",),
    left_out=("lung_aca", "lung_n", "lung_scc"),
    manual="it is handed out by torrent and by hosts that ask for an account",
    note=(
        "Its tiles are turned and mirrored copies of far fewer originals, and which belong "
        "together is not given: its intervals are too narrow."
    ),
)
PUBLISHED = {
    known.name: known
    for known in (EBHI_SEG, KATHER_2016, NCT_CRC_HE_100K, CRC_VAL_HE_7K, PATHMNIST, LC25000)
}


NUMBERED = re.compile(r"^\d+[-_ ]+")


def plain_label(label: str) -> str:
    """A class's name whatever its spelling: `01_TUMOR` is `tumor`, `High-grade IN` a slug."""
    text = unicodedata.normalize("NFC", escaped(label.strip()))
    return re.sub(r"[\s_]+", "-", NUMBERED.sub("", text)).casefold()


@dataclass(frozen=True, slots=True)
class LabelMapping:
    """`yes` and `ignore` as a person names them; empty means what Healer knows."""

    yes: frozenset[str] = frozenset()
    ignore: frozenset[str] = frozenset()

    @classmethod
    def of(cls, yes: Iterable[str], ignore: Iterable[str]) -> LabelMapping:
        return cls(frozenset(map(plain_label, yes)), frozenset(map(plain_label, ignore)))

    def meanings(self, labels: Iterable[str]) -> dict[str, bool | None]:
        """Each label as yes (True), no (False) or left out (None); raises LabelUnknown."""
        found = {label: plain_label(label) for label in labels}
        absent = (self.yes | self.ignore) - set(found.values())
        unknown = {label for label, name in found.items() if not self._known(name)} | absent
        if unknown:
            raise LabelUnknown(", ".join(sorted(unknown)))
        return {label: self._meaning(name) for label, name in found.items()}

    def names(self, label: str) -> bool:
        """Whether this is a class that is known or named in the mapping."""
        return plain_label(label) in self.yes | self.ignore | MEANINGS.keys()

    def _known(self, name: str) -> bool:
        return bool(self.yes) or name in self.ignore or name in MEANINGS

    def _meaning(self, name: str) -> bool | None:
        if name in self.ignore:
            return None
        return name in self.yes if self.yes else MEANINGS[name]


MEANINGS: dict[str, bool | None] = {
    plain_label(label): meaning
    for known in PUBLISHED.values()
    for meaning, labels in ((True, known.yes), (False, known.no), (None, known.left_out))
    for label in labels
}
