"""MedGemma (Gemma 3) through OpenVINO, on the CPU. Needs neither torch nor transformers."""

from healer.engines.openvino.engine import OpenVINOEngine

__all__ = ["OpenVINOEngine", "unreported"]
