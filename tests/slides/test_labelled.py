"""Published sets of slides, in made-up folders that are laid out and named as theirs are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from healer.cli import app
from healer.errors.evaluation import (
    DatasetNotFound,
    DatasetUnreadable,
    DownloadRefused,
    LabelUnknown,
)
from healer.evaluation.published import MEANINGS, LabelMapping, plain_label
from healer.evaluation.published_slides import PUBLISHED_SLIDES, PublishedSlides, published_slides
from healer.slides.labelled import LabelledSlides, labelled_slides

KNOWN = LabelMapping()


def laid_out(folder: Path, names: Sequence[str], rows: Sequence[str] = ()) -> Path:
    for name in names:
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"II*\0")
    if rows:
        text = "\n".join(["path,label,case_id", *rows])
        (folder / "slides.csv").write_text(text, encoding="utf-8")
    return folder


def read(source: Path, mapping: LabelMapping = KNOWN) -> LabelledSlides:
    return labelled_slides(source, source.parent, mapping)


def answers_of(found: LabelledSlides) -> dict[str, bool | None]:
    return {each.name: found.meanings[str(each.label)] for each in found.slides}


def test_tcga_is_labelled_by_its_barcodes(tmp_path: Path) -> None:
    names = [
        "TCGA-A6-2671-01Z-00-DX1.13934a46-4e46-4a3d-b95a-7a1e4e2a5a0c.svs",
        "TCGA-A6-2671-11A-01-DX1.99999999-4e46-4a3d-b95a-7a1e4e2a5a0c.svs",
        "TCGA-A6-2672-01A-01-TS1.11111111-4e46-4a3d-b95a-7a1e4e2a5a0c.svs",
        "notes.svs",
    ]
    found = read(laid_out(tmp_path / "TCGA_COAD", names))
    assert found.name == "tcga-coad"
    assert [each.case for each in found.slides] == ["TCGA-A6-2671", "TCGA-A6-2671"]
    assert list(answers_of(found).values()) == [True, False]
    assert found.left_out == {"frozen": 1, "other file names": 1}


def test_surgen_s_primary_cancers_are_yes_and_its_other_cohort_is_left_out(tmp_path: Path) -> None:
    names = [
        "SR386_WSIs/SR386_40X_HE_T001_01.czi",
        "SR386_WSIs/SR386_40X_HE_T001_02.czi",
        "SR1482_WSIs/SR1482_40X_HE_T12_0.czi",
    ]
    found = read(laid_out(tmp_path / "surgen", names))
    assert set(answers_of(found).values()) == {True}
    assert [each.case for each in found.slides] == ["SR386_40X_HE_T001"] * 2
    assert found.left_out == {"SR1482": 1}


def test_every_slide_of_paip_2020_is_cancer_and_a_case_of_its_own(tmp_path: Path) -> None:
    found = read(laid_out(tmp_path / "PAIP2020", ["training_data_01.svs", "training_data_02.svs"]))
    assert list(answers_of(found).values()) == [True, True]
    assert len({each.case for each in found.slides}) == 2


def test_imp_crs_takes_its_labels_from_a_list_in_its_folder(tmp_path: Path) -> None:
    names = ["CRS1/slides/CRS1_0001.svs", "CRS2/slides/CRS2_0001.svs", "CRS_Test/slides/T_1.svs"]
    rows = [
        "CRS1/slides/CRS1_0001.svs,Non-neoplastic,1",
        "CRS2/slides/CRS2_0001.svs,low-grade,2",
        "CRS_Test/slides/T_1.svs,High-grade,3",
    ]
    found = read(laid_out(tmp_path / "IMP-CRS2024-Dataset", names, rows))
    assert found.name == "imp-crs-2024"
    assert answers_of(found) == {"CRS1_0001": False, "CRS2_0001": False, "T_1": True}
    assert found.known is not None
    assert "high-grade dysplasia beside cancer" in found.known.note


def test_huncrc_counts_high_grade_dysplasia_as_no(tmp_path: Path) -> None:
    names = ["1.mrxs", "2.mrxs", "3.mrxs"]
    rows = ["1.mrxs,adenocarcinoma,", "2.mrxs,highgrade_dysplasia,", "3.mrxs,artifact,"]
    found = read(laid_out(tmp_path / "huncrc", names, rows))
    assert answers_of(found) == {"1": True, "2": False}
    assert found.left_out == {"artifact": 1}


def test_a_list_is_known_by_its_name_too(tmp_path: Path) -> None:
    (tmp_path / "huncrc.csv").write_text("path,label\n1.mrxs,normal\n", encoding="utf-8")
    assert answers_of(read(tmp_path / "huncrc.csv")) == {"1": False}


def test_a_set_without_its_labels_says_where_they_go(tmp_path: Path) -> None:
    with pytest.raises(DatasetUnreadable, match=r"slides\.csv in its folder"):
        read(laid_out(tmp_path / "huncrc", ["1.mrxs"]))
    with pytest.raises(DatasetUnreadable, match="named as tcga-read's are"):
        read(laid_out(tmp_path / "tcga-read", ["1.svs"]))


def test_another_label_is_refused_and_yes_decides_alone(tmp_path: Path) -> None:
    folder = laid_out(tmp_path / "huncrc", ["1.mrxs"], ["1.mrxs,serrated,"])
    with pytest.raises(LabelUnknown, match="serrated"):
        read(folder)
    assert read(folder, LabelMapping.of([], ["serrated"])).slides == ()
    assert answers_of(read(folder, LabelMapping.of(["serrated"], []))) == {"1": True}


def test_a_set_that_is_not_there_says_where_it_is_to_be_had(tmp_path: Path) -> None:
    with pytest.raises(DownloadRefused, match=r"rdm\.inesctec\.pt"):
        labelled_slides(Path("imp-crs-2024"), tmp_path, KNOWN)
    with pytest.raises(DatasetNotFound, match="imp-crs-2024, huncrc, surgen"):
        labelled_slides(Path("no-such-set"), tmp_path, KNOWN)
    laid_out(tmp_path / "paip-2020", ["a.svs"])
    assert len(labelled_slides(Path("paip2020"), tmp_path, KNOWN).slides) == 1


def test_what_a_set_s_labels_mean_is_not_what_they_mean_elsewhere(tmp_path: Path) -> None:
    assert "high-grade" not in MEANINGS
    (tmp_path / "mine.csv").write_text("path,label\n1.svs,high-grade\n", encoding="utf-8")
    with pytest.raises(LabelUnknown):
        read(tmp_path / "mine.csv")


@pytest.mark.parametrize("known", PUBLISHED_SLIDES, ids=lambda known: known.name)
def test_each_set_says_what_there_is_to_know(known: PublishedSlides) -> None:
    assert all(published_slides(name) is known for name in known.names)
    labels = [plain_label(label) for label in (*known.yes, *known.no, *known.left_out)]
    assert len(set(labels)) == len(labels) > 0
    assert all((known.title, known.licence, known.manual, known.labels))
    assert known.page.startswith("https://")


def test_eval_prints_the_licence_and_what_was_left_out(tmp_path: Path) -> None:
    names = [f"TCGA-A6-{at:04}-{'01Z' if at % 2 else '11A'}-00-DX1.svs" for at in range(12)]
    folder = laid_out(tmp_path / "tcga-coad", [*names, "TCGA-A6-9999-01A-01-TS1.svs"])
    for at, name in enumerate(names):
        score = 0.9 if at % 2 else 0.1
        place = tmp_path / "out" / Path(name).stem
        place.mkdir(parents=True)
        document = {
            "verdict": "yes" if at % 2 else "no",
            "probability": score,
            "scores": {"score": score},
            "coverage": {"read_share": 1.0},
            "run": {"engine": "builtin", "tiles": "224 px"},
        }
        (place / "slide.json").write_text(json.dumps(document), encoding="utf-8")
    command = ["eval", "tcga-coad", "--data", str(folder.parent), "--slides", str(tmp_path / "out")]
    done = CliRunner().invoke(app, [*command, "--resamples", "20"])
    assert done.exit_code == 0, done.output
    printed = " ".join(done.output.split())
    assert "tcga-coad: 12 slides, 6 of them cancer" in printed
    assert "gdc-policies" in printed
    assert "Left out: 1 frozen." in printed
    results = json.loads((tmp_path / "out" / "slide-results.json").read_text(encoding="utf-8"))
    assert results["published"]["name"] == "tcga-coad"
    assert results["left_out"] == {"frozen": 1}
