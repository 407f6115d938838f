"""Keeps `import openvino` from telling its maker about it.

The package imports its model converter by the way, which Healer never uses, which takes two
seconds, and whose first act is to send a telemetry event. OpenVINO goes on without it where it
cannot be imported. To be imported before OpenVINO is.
"""

import sys

sys.modules.setdefault("openvino.tools.ovc", None)  # type: ignore[arg-type]
