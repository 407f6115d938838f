"""MedGemma (Gemma 3) through OpenVINO, on the CPU. Needs neither torch nor transformers.

Importing this package keeps a later `import openvino` from sending telemetry. OpenVINO imports its
model converter by the way, which Healer never uses, which takes two seconds, and whose first act is
to send an event; it goes on without it where it cannot be imported.
"""

from __future__ import annotations

import sys

sys.modules.setdefault("openvino.tools.ovc", None)  # type: ignore[arg-type]

from healer.engines.openvino.engine import OpenVINOEngine  # noqa: E402

__all__ = ["OpenVINOEngine"]
