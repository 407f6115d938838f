"""MedGemma (Gemma 3) through transformers. Nothing heavy is imported until an engine is loaded."""

from healer.engines.transformers.engine import MedGemmaEngine

__all__ = ["MedGemmaEngine"]
