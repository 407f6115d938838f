"""From what a person typed to a dataset: a known name, a path, or an archive."""

from __future__ import annotations

from pathlib import Path

from healer.errors import DatasetNotFound
from healer.evaluation import datasets
from healer.evaluation.archives import SUFFIXES, is_archive, unpack
from healer.evaluation.datasets import Dataset
from healer.evaluation.fetch import Advance, Say, fetch, place_of
from healer.evaluation.known import KNOWN
from healer.evaluation.labels import Mapping
from healer.names import printable

FOLDER = Path("runs/datasets")


def locate(
    wanted: str,
    mapping: Mapping,
    say: Say,
    advance: Advance,
    *,
    download: bool = False,
    folder: Path = FOLDER,
) -> Dataset:
    """Raises `healer.errors.DatasetError`; downloads only where `download` says so."""
    path = Path(wanted)
    if path.exists():
        return _at(path, mapping, say, folder)
    known = KNOWN.get(wanted.casefold())
    if known is None:
        return datasets.read(path, mapping)
    place = place_of(known, folder)
    if not download and not place.exists():
        advice = f"Pass --download to fetch it ({known.licence}), or give the path of your copy"
        raise DatasetNotFound(known.name, advice)
    return datasets.read(fetch(known, folder, say, advance), mapping, known.name)


def _at(path: Path, mapping: Mapping, say: Say, folder: Path) -> Dataset:
    if path.is_dir() or not is_archive(path):
        return datasets.read(path, mapping)
    name = next(path.name[: -len(end)] for end in SUFFIXES if path.name.lower().endswith(end))
    place = folder / name
    if not place.exists():
        say(printable(f"Unpacking {path.name} into {place}"))
        unpack(path, place)
    return datasets.read(place, mapping, name)
