"""Gemma 3 from its published weights to OpenVINO graphs, built layer by layer and verified.

No graph is traced: each is written down from the model's definition (transformers'
`modeling_gemma3.py` and `modeling_siglip.py`), so converting holds one quantised copy of the
weights and never the model itself.
"""

import healer.engines.openvino  # noqa: F401 - first: it keeps OpenVINO from sending telemetry
