from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from healer.errors import (
    DatasetNotFound,
    DatasetUnreadable,
    FileNotReadable,
    LabelUnknown,
    TooManyPixels,
)
from healer.evaluation.datasets import Dataset, Limits, read_dataset
from healer.evaluation.published import MEANINGS, PUBLISHED, LabelMapping
from tests.evaluation.tiles import foldered, indexed, tile

LIMITS = Limits(max_bytes=10_000_000, max_pixels=1_000_000)
AS_KNOWN = LabelMapping()


def put(folder: Path, *names: str) -> Path:
    for at, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        tile(10.0 * at, at).save(folder / name)
    return folder


def answers(dataset: Dataset) -> dict[str, bool]:
    return {item.path: item.positive for item in dataset.items}


def test_a_folder_per_class(tmp_path: Path) -> None:
    dataset = read_dataset(foldered(tmp_path / "mine", each=3), AS_KNOWN)
    assert dataset.name == "mine"
    assert len(dataset.items) == 6
    assert sum(item.positive for item in dataset.items) == 3
    assert not dataset.has_cases
    assert [item.path for item in dataset.items] == sorted(item.path for item in dataset.items)
    assert dataset.source.tile(dataset.items[0].path, LIMITS).pixels.shape == (16, 16, 3)


def test_an_index_with_cases(tmp_path: Path) -> None:
    folder = indexed(tmp_path / "mine")
    dataset = read_dataset(folder, AS_KNOWN)
    assert dataset.has_cases
    assert len({item.case_id for item in dataset.items}) == 8
    assert read_dataset(folder / "index.csv", AS_KNOWN) == dataset


def test_an_index_that_says_file_and_knows_no_case(tmp_path: Path) -> None:
    put(tmp_path, "a.png", "b.png")
    (tmp_path / "index.csv").write_text("file,label,scale\na.png,TUM,0.5\nb.png,MUCOSA,0.5\n")
    dataset = read_dataset(tmp_path, AS_KNOWN)
    assert answers(dataset) == {"a.png": True, "b.png": False}
    assert not dataset.has_cases
    assert dataset.items[0].case_id == "a.png"


def test_ebhi_segs_own_layout_leaves_masks_out_and_finds_cases(tmp_path: Path) -> None:
    put(
        tmp_path / "EBHI-SEG",
        "Adenocarcinoma/image/GT2012329-1-400-001.png",
        "Adenocarcinoma/label/GT2012329-1-400-001.png",
        "High-grade IN/image/GT1815553-1-400-002.png",
        "Low-grade IN/image/GT1815553-1-400-003.png",
        "Serrated adenoma/image/GTxc2013512-1-400-001.png",
    )
    dataset = read_dataset(tmp_path / "EBHI-SEG", AS_KNOWN)
    assert dataset.known is PUBLISHED["ebhi-seg"]
    assert sum(answers(dataset).values()) == 1
    assert [item.case_id for item in dataset.items] == [
        "GT2012329",
        "GT1815553",
        "GT1815553",
        "GTxc2013512",
    ]
    assert dataset.has_cases


def test_kather_2016s_layout_has_slides_for_cases(tmp_path: Path) -> None:
    put(
        tmp_path / "unpacked/Kather_texture_2016_image_tiles_5000",
        "01_TUMOR/1A11_CRC-Prim-HE-07_022.tif_Row_601_Col_151.tif",
        "02_STROMA/10A0_CRC-Prim-HE-05_032.tif_Row_1051_Col_1501.tif",
        "08_EMPTY/10B0_CRC-Prim-HE-05_032.tif_Row_1_Col_1.tif",
    )
    dataset = read_dataset(tmp_path / "unpacked", AS_KNOWN, "kather2016")
    assert [item.positive for item in dataset.items] == [True, False, False]
    assert [item.case_id for item in dataset.items] == ["07", "05", "05"]


def test_crc_val_nested_one_folder_down(tmp_path: Path) -> None:
    put(tmp_path, "CRC-VAL-HE-7K/TUM/TUM-A.tif", "CRC-VAL-HE-7K/ADI/ADI-B.tif")
    assert answers(read_dataset(tmp_path, AS_KNOWN, "crc-val-he-7k")) == {
        "CRC-VAL-HE-7K/ADI/ADI-B.tif": False,
        "CRC-VAL-HE-7K/TUM/TUM-A.tif": True,
    }


def test_lc25000_leaves_lungs_out(tmp_path: Path) -> None:
    put(
        tmp_path / "lung_colon_image_set",
        "colon_image_sets/colon_aca/colonca1.jpeg",
        "colon_image_sets/colon_n/colonn1.jpeg",
        "lung_image_sets/lung_aca/lungaca1.jpeg",
    )
    dataset = read_dataset(tmp_path, AS_KNOWN)
    assert dataset.known is PUBLISHED["lc25000"]
    assert [item.positive for item in dataset.items] == [True, False]
    assert dataset.left_out == {"lung_aca": 1}


def test_pathmnist_takes_its_test_part(tmp_path: Path) -> None:
    images = np.arange(3 * 28 * 28 * 3, dtype=np.uint32).reshape(3, 28, 28, 3).astype(np.uint8)
    file = tmp_path / "pathmnist.npz"
    np.savez(
        file,
        train_images=images[:1],
        train_labels=np.array([[0]]),
        test_images=images,
        test_labels=np.array([[8], [0], [7]]),
    )
    dataset = read_dataset(file, AS_KNOWN)
    assert [item.positive for item in dataset.items] == [True, False, False]
    assert (dataset.source.tile("test/1", LIMITS).pixels == images[1]).all()
    assert dataset.known is PUBLISHED["pathmnist"]


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"other": np.zeros(3)}, "no test_images"),
        ({"test_images": np.zeros((2, 4, 4), np.uint8), "test_labels": [0, 1]}, "not \\(n,"),
        ({"test_images": np.zeros((1, 4, 4, 3), np.uint8), "test_labels": [99]}, "not PathMNIST's"),
        ({"test_images": np.array([{}]), "test_labels": [0]}, "allow_pickle"),
    ],
)
def test_a_bad_npz_is_reported(tmp_path: Path, arrays: dict[str, object], reason: str) -> None:
    np.savez(tmp_path / "x.npz", allow_pickle=True, **{k: np.array(v) for k, v in arrays.items()})
    with pytest.raises(DatasetUnreadable, match=reason):
        read_dataset(tmp_path / "x.npz", AS_KNOWN)


def test_unknown_classes_stop_with_their_names(tmp_path: Path) -> None:
    put(tmp_path, "gland/1.png", "vessel/2.png", "normal/3.png")
    with pytest.raises(LabelUnknown, match=r"gland, vessel.*--yes"):
        read_dataset(tmp_path, AS_KNOWN)


def test_a_person_may_say_what_classes_mean(tmp_path: Path) -> None:
    put(tmp_path, "gland/1.png", "vessel/2.png", "blur/3.png")
    dataset = read_dataset(tmp_path, LabelMapping.of(["Gland"], ["blur"]))
    assert answers(dataset) == {"gland/1.png": True, "vessel/2.png": False}
    assert dataset.left_out == {"blur": 1}


def test_a_class_named_by_a_person_must_be_there(tmp_path: Path) -> None:
    put(tmp_path, "gland/1.png")
    with pytest.raises(LabelUnknown, match="glnad"):
        read_dataset(tmp_path, LabelMapping.of(["glnad"], []))


def test_every_known_datasets_classes_mean_something_once() -> None:
    for known in PUBLISHED.values():
        assert set(known.yes).isdisjoint(known.no)
        assert known.archive or known.manual
    assert sum(meaning is True for meaning in MEANINGS.values()) == 5


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("name,label\na,b\n", "columns path and label"),
        ("path,label\n", "columns path and label"),
        ("path,label\na.png,\n", "line 2 lacks"),
        ("path,label\na.png,TUM\na.png,TUM\n", "a.png is listed twice"),
        ("path,label\na,b.png,TUM\n", "line 2 has more cells"),
        ("path,label,Label\na.png,TUM,x\n", "two columns label"),
    ],
)
def test_a_bad_index_is_reported(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "index.csv").write_text(text)
    with pytest.raises(DatasetUnreadable, match=reason):
        read_dataset(tmp_path, AS_KNOWN)


def test_nothing_there_is_reported(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFound, match="crc-val-he-7k"):
        read_dataset(tmp_path / "absent", AS_KNOWN)
    with pytest.raises(DatasetUnreadable, match="no pictures"):
        read_dataset(tmp_path, AS_KNOWN)


def test_trash_is_no_class_and_what_was_left_out_is_counted(tmp_path: Path) -> None:
    put(tmp_path, "TUM/a.png", "NORM/b.png")
    plain = read_dataset(tmp_path, AS_KNOWN, "mine")
    put(tmp_path, ".Trash-1000/files/c.png", "TUM/.ipynb_checkpoints/a.png", "TUM/@eaDir/a.jpg")
    put(tmp_path, "TUM/._a.png", ".git/x.png", "loose.png", "NORM/mask/b.png")
    (tmp_path / "NORM" / "Thumbs.db").touch()
    (tmp_path / "NORM" / "slide.tif").mkdir()
    dataset = read_dataset(tmp_path, AS_KNOWN, "mine")
    assert dataset.items == plain.items
    assert dataset.fingerprint == plain.fingerprint
    assert dataset.files_left_out.as_json() == {
        "hidden": 4,
        "system": 2,
        "mask": 1,
        "no_class": 1,
    }


def test_a_person_may_name_every_other_class_no_and_trash_is_still_none(tmp_path: Path) -> None:
    """With --yes every other folder is a class: a hidden one used to be a "no"."""
    put(tmp_path, "gland/1.png", "vessel/2.png", ".Trash-0/3.png")
    dataset = read_dataset(tmp_path, LabelMapping.of(["gland"], []))
    assert answers(dataset) == {"gland/1.png": True, "vessel/2.png": False}


def test_a_linked_class_is_followed_under_its_own_name(tmp_path: Path) -> None:
    put(tmp_path / "store", "a.jfif.png", "b.jpe.png")
    (tmp_path / "store" / "a.jfif.png").rename(tmp_path / "store" / "A.JFIF")
    tiles = put(tmp_path / "tiles", "NORM/n.png")
    (tiles / "TUM").symlink_to(tmp_path / "store")
    (tiles / "NORM" / "back").symlink_to("..")
    dataset = read_dataset(tiles, AS_KNOWN)
    assert answers(dataset) == {
        "NORM/n.png": False,
        "TUM/A.JFIF": True,
        "TUM/b.jpe.png": True,
    }
    assert dataset.files_left_out.as_json() == {"link_loop": 1}


@pytest.mark.parametrize("heading", ["Path,Label,Case_ID", "path, label, case_id", "File;LABEL;x"])
def test_headings_in_any_case_and_with_spaces(tmp_path: Path, heading: str) -> None:
    put(tmp_path, "a.png")
    delimiter = ";" if ";" in heading else (", " if ", " in heading else ",")
    (tmp_path / "Index.csv").write_text(f"{heading}\n{delimiter.join(['a.png', 'TUM', '7'])}\n")
    dataset = read_dataset(tmp_path, AS_KNOWN)
    assert [(item.path, item.label) for item in dataset.items] == [("a.png", "TUM")]
    assert dataset.has_cases is ("case" in heading.casefold())


def test_listed_paths_are_those_on_the_disk_or_counted(tmp_path: Path) -> None:
    put(tmp_path, "tumour/a.png", "tumour/b.png", "normal/\u00e9.png")
    rows = ["tumour\\a.png,TUM", "./tumour//b.png,TUM", "normal/e\u0301.png,NORM", "gone.png,NORM"]
    (tmp_path / "index.csv").write_text("path,label\n" + "\n".join(rows), encoding="utf-8")
    dataset = read_dataset(tmp_path, AS_KNOWN)
    there = ["tumour/a.png", "tumour/b.png", "normal/\u00e9.png"]
    assert [item.path for item in dataset.items] == [*there, "gone.png"]
    assert dataset.absent == ["gone.png"]
    for path in there:
        assert dataset.source.tile(path, LIMITS).width == 16


def test_one_tile_under_two_spellings_is_listed_twice(tmp_path: Path) -> None:
    put(tmp_path, "\u00e9.png", "a.png")
    for first, second in (
        ("a.png", "./a.png"),
        ("\u00e9.png", "e\u0301.png"),
        ("a.png", ".\\A.PNG"),
    ):
        (tmp_path / "index.csv").write_text(
            f"path,label\n{first},TUM\n{second},TUM\n", encoding="utf-8"
        )
        with pytest.raises(DatasetUnreadable, match="is listed twice"):
            read_dataset(tmp_path, AS_KNOWN)


def test_names_that_are_no_utf_8(tmp_path: Path) -> None:
    folder = put(tmp_path / "M\udcfcller", "TUM/\udcff.png", "T\udcfcr/a.png")
    dataset = read_dataset(folder, LabelMapping.of(["TUM"], []))
    assert dataset.name == r"M\xfcller"
    assert [(item.path, item.label) for item in dataset.items] == [
        ("TUM/\udcff.png", "TUM"),
        ("T\udcfcr/a.png", r"T\xfcr"),
    ]
    assert dataset.source.tile("TUM/\udcff.png", LIMITS).width == 16
    (folder / "index.csv").write_bytes(b"path,label\nT\xfcr/a.png,x\nTUM/\\xff.png,TUM\n")
    listed = read_dataset(folder, LabelMapping.of(["TUM"], []))
    assert [item.path for item in listed.items] == ["T\udcfcr/a.png", "TUM/\udcff.png"]
    assert not listed.absent


def test_a_limit_spreads_over_classes(tmp_path: Path) -> None:
    dataset = read_dataset(foldered(tmp_path, each=10), AS_KNOWN)
    few = dataset.limited(4)
    assert len(few.items) == 4
    assert sum(item.positive for item in few.items) == 2
    assert few.fingerprint != dataset.fingerprint
    assert dataset.limited(100) is dataset


def test_a_missing_file_is_known_only_when_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "index.csv").write_text("path,label\ngone.png,TUM\n")
    dataset = read_dataset(tmp_path, AS_KNOWN)
    with pytest.raises(FileNotReadable):
        dataset.source.tile("gone.png", LIMITS)


def test_the_shared_datasets(data_dir: Path) -> None:
    samples = read_dataset(data_dir / "samples", AS_KNOWN)
    assert (len(samples.items), sum(item.positive for item in samples.items)) == (31, 4)
    ebhi = read_dataset(data_dir / "ebhi-seg", AS_KNOWN)
    assert (len(ebhi.items), sum(item.positive for item in ebhi.items)) == (1826, 671)
    assert (ebhi.known, ebhi.has_cases) == (PUBLISHED["ebhi-seg"], True)
    by_name = read_dataset(data_dir / "ebhi-seg", AS_KNOWN, "ebhi-seg")
    assert by_name.fingerprint == ebhi.fingerprint


def test_a_name_that_no_file_can_have_is_a_tile_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "index.csv").write_bytes(b"path,label\na\0.png,TUM\n" + b"n" * 5000 + b",TUM\n")
    dataset = read_dataset(tmp_path, AS_KNOWN)
    assert len(dataset.absent) == 2
    for path in dataset.absent:
        with pytest.raises(FileNotReadable):
            dataset.source.tile(path, LIMITS)


def test_a_tile_is_held_to_the_limits(tmp_path: Path) -> None:
    put(tmp_path, "TUM/a.png")
    Image.new("RGB", (40, 40)).save(tmp_path / "TUM/b.png")
    source = read_dataset(tmp_path, AS_KNOWN).source
    assert source.tile("TUM/a.png", Limits(10_000, 300)).width == 16
    with pytest.raises(TooManyPixels, match="40 × 40"):
        source.tile("TUM/b.png", Limits(10_000, 300))
