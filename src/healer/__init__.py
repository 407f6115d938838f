"""Healer answers colorectal-cancer screening questions from H&E tiles. Research use only."""

import os

__version__ = "0.1.0"
# What every answer, page and document says.
NOTICE = "Research use only: Healer is not a medical device and must not guide diagnosis or care."

# ONNX Runtime would report to its maker, from its first import on.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
