"""Bytes to a checked RGB tile, in memory."""

from healer.imaging.decode import decode
from healer.imaging.tile import Tile

__all__ = ["Tile", "decode"]
