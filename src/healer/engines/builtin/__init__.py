"""The built-in classifier: a small network in ONNX, with no download and no torch."""

from healer.engines.builtin.engine import BuiltinEngine

__all__ = ["BuiltinEngine"]
