"""Hostile pictures, drawn and packed here, always the same. Nothing is downloaded or committed."""

from itertools import chain

from tests.images.hostile import bmp, jpeg, oddities, others, png, tiff, tiff_codings, webp
from tests.images.hostile.parts import ANSWERED, Corpus, Hostile

__all__ = ["ANSWERED", "Corpus", "Hostile", "corpus"]


def corpus() -> Corpus:
    """All of them, each made only on request."""
    parts = (png, jpeg, tiff, tiff_codings, webp, bmp, others, oddities)
    return chain.from_iterable(part.corpus() for part in parts)
