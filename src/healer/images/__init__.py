"""Bytes to a checked RGB tile, in memory."""
