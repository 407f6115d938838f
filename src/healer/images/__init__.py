"""Bytes to a checked RGB tile, in memory."""

from healer.images.decode import decode
from healer.images.tile import Tile

__all__ = ["Tile", "decode"]
