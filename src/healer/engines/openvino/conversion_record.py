"""The folder that `healer optimize` writes: its record, and whether its files are still those.

`healer-openvino.json` is written last, so a folder without one is unfinished.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from healer.engines.openvino import CONVERSION_FILE
from healer.errors.engine import ConversionAltered, ConversionIncomplete
from healer.files.disk import StoredRecord, save_record
from healer.weights.manifest import Advance, FolderKind, Listing

VISION, LANGUAGE, TOKENIZER = "vision.xml", "language.xml", "tokenizer.json"
FORMAT = 2  # counts up when the graphs' inputs or outputs change; the first read 1,024 tokens

Weights = Literal["int8", "int4"]
Activations = Literal["int8", "int8-parts", "int16"]
FULL: Final = "full_attention"
SLIDING: Final = "sliding_attention"
Kind = Literal["full_attention", "sliding_attention"]  # of a layer, as Gemma 3's config names it


class Source(StoredRecord):
    """The download that was converted; `adapter` is one baked into it by `healer tune --merge`."""

    model_id: str
    revision: str
    adapter: str | None = None


class Precision(StoredRecord):
    """How the weights of each graph are stored; products of our own (products.py) take activations
    as coarse as the folder was verified with."""

    vision: Weights
    language: Weights
    activations: Activations = "int16"


class Image(StoredRecord):
    """`size` in pixels a side, `tokens` an image; `resample` is Pillow's number. `rescale`, `mean`
    and `std` are inside the vision graph and say here only what it does."""

    size: int = Field(ge=1)
    tokens: int = Field(ge=1)
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    rescale: float
    resample: int = Field(ge=0, le=5)


class Tokens(StoredRecord):
    """Ids of special tokens, those that end an answer, the vocabulary's size, and the most
    positions that prompt and answer may take together."""

    bos: int
    start_of_image: int
    image: int
    end_of_image: int
    stops: tuple[int, ...]
    vocabulary: int = Field(ge=1)
    window: int = Field(ge=1)


def state_name(part: str, layer: int) -> str:
    """Of the "key" or "value" of a layer: its state in the graph, and what is given instead."""
    return f"{part}.{layer}"


class Rotary(StoredRecord):
    """Channel pair i of n turns by position · base^(-i/n) / factor."""

    base: float = Field(gt=0)
    factor: float = Field(gt=0)


class Attention(StoredRecord):
    """`kinds` of the layers in order. In a sliding-window layer a token sees `sliding_window`
    positions, its own the last. A key or value is `heads` · `width` numbers."""

    kinds: tuple[Kind, ...] = Field(min_length=1)
    sliding_window: int = Field(ge=1)
    heads: int = Field(ge=1)
    width: int = Field(ge=2)
    rotary: dict[Kind, Rotary]

    @property
    def names(self) -> dict[str, Kind]:
        """Of all keys and values, with their layer's kind."""
        return {
            state_name(part, layer): kind
            for layer, kind in enumerate(self.kinds)
            for part in ("key", "value")
        }

    def numbers(self, tokens: int) -> int:
        """How many the keys and values of so many tokens are, where sliding-window layers hold
        what can still be seen."""
        held = {FULL: tokens, SLIDING: min(tokens, self.sliding_window - 1)}
        return sum(held[kind] for kind in self.names.values()) * self.heads * self.width


class TileParity(StoredRecord):
    """One tile against float32.

    `margin` is the log-odds of yes against no, `divergence` that of the next token in nats, the
    mean of `positions`; at `agreed` of them the likeliest token was the same, and at the worst of
    the others float32 finds it less likely than its own by `regret` nats.
    """

    tile: str
    reference_margin: float
    margin: float
    divergence: float
    regret: float
    agreed: int
    positions: int

    @property
    def shift(self) -> float:
        return abs(self.margin - self.reference_margin)


class Tolerance(StoredRecord):
    """What a conversion may lose: margin in log-odds, the others in nats."""

    shift: float
    divergence: float
    regret: float


class Parity(StoredRecord):
    """Measured after converting, by the engine that serves; the figures are of the worst tile."""

    tiles: tuple[TileParity, ...] = Field(min_length=1)
    tolerance: Tolerance

    @property
    def shift(self) -> float:
        return max(tile.shift for tile in self.tiles)

    @property
    def divergence(self) -> float:
        return max(tile.divergence for tile in self.tiles)

    @property
    def regret(self) -> float:
        return max(tile.regret for tile in self.tiles)

    @property
    def agreement(self) -> float:
        """The share of all positions whose likeliest token was the same, in [0, 1]."""
        positions = sum(tile.positions for tile in self.tiles)
        return sum(tile.agreed for tile in self.tiles) / positions


class Described(StoredRecord):
    """What serving needs to know of the graphs in a folder."""

    source: Source
    precision: Precision
    image: Image
    tokens: Tokens
    attention: Attention


class Converted(Listing, Described):
    """The record of a folder that was verified."""

    format: Literal[2] = FORMAT  # type: ignore[assignment]
    parity: Parity


CONVERSION = FolderKind(CONVERSION_FILE, Converted, ConversionIncomplete, ConversionAltered)


def read_conversion(folder: Path) -> Converted:
    """The folder's record; raises ConversionIncomplete where there is none that can be read."""
    check_age(folder)
    return CONVERSION.read(folder)


def write_conversion(folder: Path, record: Converted) -> None:
    """Put the record in place in one step, or not at all."""
    save_record(folder / CONVERSION_FILE, record)


def check_conversion(
    folder: Path, *, deep: bool = False, advance: Advance | None = None
) -> Converted:
    """Compare the folder with its record.

    Sizes are compared, and the sha256 of files under 32 MiB; `deep` hashes the weights too.
    `advance` is called with the bytes hashed. Raises ConversionIncomplete or ConversionAltered.
    """
    check_age(folder)
    return CONVERSION.check(folder, deep=deep, advance=advance)


def is_older(folder: Path) -> bool:
    """Whether an earlier Healer converted to this folder, for graphs that are served no longer."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        record = json.loads((folder / CONVERSION_FILE).read_bytes())
        return int(record.get("format", 0)) in range(1, FORMAT)
    return False


def check_age(folder: Path) -> None:
    """Raises ConversionIncomplete."""
    if is_older(folder):
        reason = "an older Healer converted it, to graphs that this one does not run"
        raise ConversionIncomplete(str(folder), reason)


def is_converted(folder: Path) -> bool:
    """Whether a conversion was finished here; an altered file counts, so that loading names it."""
    return CONVERSION.is_complete(folder)
