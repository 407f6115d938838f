"""Sets of slides that are known by name: where they are, their licence, and what their labels mean.

None is fetched: each is hundreds of gigabytes, or asks for an agreement. A licence that its
publisher's own page has not been seen to state is called unconfirmed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from healer.errors.evaluation import LabelUnknown
from healer.evaluation.published import LabelMapping, plain_label

UNCONFIRMED = "unconfirmed: check before use"
BARCODE = (
    r"^(?P<case>TCGA-[A-Z0-9]{2}-[A-Z0-9]{4})-(?P<sample>\d{2})[A-Z]?-\d{2}[A-Z]?-(?P<slide>[A-Z]+)"
)
NORMAL_SAMPLES = range(10, 20)  # of TCGA's sample types; those below are tumours
DIAGNOSTIC = "DX"


@dataclass(frozen=True, slots=True)
class PublishedSlides:
    """`names` are of its folder or list, as a person or its publisher calls it. `labels` says where
    they come from. `file_pattern` finds a slide's case in its file's name."""

    names: tuple[str, ...]
    title: str
    licence: str
    page: str
    yes: tuple[str, ...]
    no: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    manual: str = "its publisher hands it out file by file, hundreds of gigabytes in all"
    labels: str = "slides.csv in its folder, with path, label and case_id"
    file_pattern: str | None = None
    note: str = ""

    @property
    def name(self) -> str:
        return self.names[0]

    def meanings(self, labels: Iterable[str], mapping: LabelMapping) -> dict[str, bool | None]:
        """Each label as yes, no or left out (None); classes that `mapping` names as yes decide
        alone. Raises LabelUnknown."""
        if mapping.yes:
            return mapping.meanings(labels)
        known = {
            plain_label(label): meaning
            for meaning, group in ((True, self.yes), (False, self.no), (None, self.left_out))
            for label in group
        }
        plain = {label: plain_label(label) for label in labels}
        known |= dict.fromkeys(mapping.ignore)
        if unknown := [label for label, name in plain.items() if name not in known]:
            raise LabelUnknown(", ".join(sorted(unknown)))
        return {label: known[name] for label, name in plain.items()}

    def from_file_name(self, stem: str) -> tuple[str, str] | None:
        """Label and case of a slide whose file's name holds both; None where it holds neither."""
        found = re.match(self.file_pattern, stem) if self.file_pattern else None
        if found is None:
            return None
        parts = found.groupdict()
        if "sample" in parts:
            return _label_of_barcode(parts["sample"], parts["slide"]), parts["case"]
        return parts.get("label", self.yes[0]), parts["case"]


def _label_of_barcode(sample: str, slide: str) -> str:
    if not slide.startswith(DIAGNOSTIC):
        return "frozen"
    return "normal" if int(sample) in NORMAL_SAMPLES else "tumour"


IMP_CRS_2024 = PublishedSlides(
    names=("imp-crs-2024", "imp-crs2024", "imp-crs2024-dataset"),
    title="IMP-CRS 2024, 5,333 slides of biopsies and polypectomies (INESC TEC)",
    licence=f"CC BY-NC 2.0 as others report it; {UNCONFIRMED}",
    page="https://rdm.inesctec.pt/dataset/nis-2023-008",
    yes=("high-grade",),
    no=("non-neoplastic", "low-grade"),
    note=(
        "High-grade holds high-grade dysplasia beside cancer, and the set does not distinguish "
        "them: figures are of both together."
    ),
)
HUNCRC = PublishedSlides(
    names=("huncrc", "hungarian-colorectal-screening"),
    title="HunCRC, 200 slides of a screening programme (Pataki et al., Scientific Data 2022)",
    licence=f"CC BY 4.0 as others report it; {UNCONFIRMED}",
    page="https://www.cancerimagingarchive.net/collection/hungarian-colorectal-screening/",
    yes=("adenocarcinoma", "lymphovascular_invasion", "tumor_necrosis"),
    no=("normal", "inflammation", "lowgrade_dysplasia", "highgrade_dysplasia"),
    left_out=("suspicious_for_invasion", "resection_edge", "artifact"),
    note="Its regions are annotated: give each slide the most severe label of its regions.",
)
SURGEN = PublishedSlides(
    names=("surgen",),
    title="SurGen, 1,020 slides of 843 cases (Myles et al., GigaScience 2025)",
    licence=f"its tables are CC0; its slides {UNCONFIRMED}",
    page="https://doi.org/10.6019/S-BIAD1285",
    yes=("SR386",),
    left_out=("SR1482",),
    labels="file names: SR386_40X_HE_T001_01.czi is case SR386_40X_HE_T001 of the cohort SR386",
    file_pattern=r"^(?P<case>(?P<label>SR386|SR1482)_40X_HE_T\d+)",
    note=(
        "Every case is cancer, so it measures sensitivity alone. SR1482 also holds metastases "
        "(liver, lung, peritoneum) and is left out. Its CZI files must be converted first."
    ),
)
TCGA_COAD = PublishedSlides(
    names=("tcga-coad",),
    title="TCGA-COAD, colon adenocarcinoma (The Cancer Genome Atlas)",
    licence=(
        "open access: the Genomic Data Commons' policies "
        "(gdc.cancer.gov/about-gdc/gdc-policies) ask that nobody be identified and the source cited"
    ),
    page="https://portal.gdc.cancer.gov/projects/TCGA-COAD",
    yes=("tumour",),
    no=("normal",),
    left_out=("frozen",),
    labels="file names: the barcode's sample type (10 to 19 are normal) and slide (DX)",
    file_pattern=BARCODE,
    note=(
        "Nearly every diagnostic slide (DX) shows cancer, so it measures sensitivity alone. Frozen "
        "sections (TS, MS, BS) are left out."
    ),
)
TCGA_READ = PublishedSlides(
    names=("tcga-read",),
    title="TCGA-READ, rectum adenocarcinoma (The Cancer Genome Atlas)",
    licence=TCGA_COAD.licence,
    page="https://portal.gdc.cancer.gov/projects/TCGA-READ",
    yes=TCGA_COAD.yes,
    no=TCGA_COAD.no,
    left_out=TCGA_COAD.left_out,
    labels=TCGA_COAD.labels,
    file_pattern=BARCODE,
    note=TCGA_COAD.note,
)
PAIP_2020 = PublishedSlides(
    names=("paip2020", "paip-2020"),
    title="PAIP 2020, 47 training slides of colon resections",
    licence=UNCONFIRMED,
    page="https://paip2020.grand-challenge.org/Dataset/",
    yes=("adenocarcinoma",),
    manual="it asks for registration and an agreement",
    labels="every slide is adenocarcinoma, and a case of its own",
    file_pattern=r"^(?P<case>.+)$",
    note="Every case is cancer, so it measures sensitivity alone.",
)
PUBLISHED_SLIDES = (IMP_CRS_2024, HUNCRC, SURGEN, TCGA_COAD, TCGA_READ, PAIP_2020)


def published_slides(name: str) -> PublishedSlides | None:
    """By the name of a folder or list, in any spelling."""
    plain = plain_label(name)
    return next((known for known in PUBLISHED_SLIDES if plain in known.names), None)
