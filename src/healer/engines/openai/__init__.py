"""A model behind any OpenAI-compatible server that tells the probabilities of its tokens."""

from healer.engines.openai.engine import OpenAIEngine

__all__ = ["OpenAIEngine"]
