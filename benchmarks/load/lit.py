"""The same model behind LitServe: `python -m benchmarks.load.lit PORT WORKERS ENGINE`.

For an interpreter that has litserve. Same decoding, gate, screening and answer as the service's,
in as many processes as there are cores. Pictures come in JSON, as
LitServe's documentation sends them: it hands no uploaded file to its workers.
"""

from __future__ import annotations

import base64
import sys
from typing import Any

import litserve

from healer.config import load_settings
from healer.engines.choice import choose
from healer.processor import cores
from healer.screening.admission import Admitted, admit
from healer.screening.opening import open_screener
from healer.serving.identity import new_request_id
from healer.serving.schemas import Prediction


class Healer(litserve.LitAPI):  # type: ignore[misc]
    workers = 1
    engine = "builtin"

    def setup(self, device: str) -> None:  # noqa: ARG002 - LitServe's
        threads = max(1, cores() // self.workers)
        self.settings = load_settings(engine=self.engine, threads=threads)
        self.screener = open_screener(choose(self.settings), self.settings)

    def decode_request(self, request: dict[str, str]) -> Admitted:
        data = base64.b64decode(request["image"])
        return admit(data, self.settings.gate, self.settings.max_pixels)

    def predict(self, admitted: Admitted) -> Prediction:
        screening = self.screener.screen([admitted.tile])[0]
        request_id = new_request_id()
        return Prediction.finished(self.screener, screening, admitted, request_id, admitted.timings)

    def encode_response(self, output: Prediction) -> dict[str, Any]:
        return output.model_dump(mode="json")


def main(port: int, workers: int, engine: str) -> None:
    Healer.workers, Healer.engine = workers, engine
    server = litserve.LitServer(
        Healer(), accelerator="cpu", workers_per_device=workers, timeout=120
    )
    server.run(host="127.0.0.1", port=port, log_level="warning", generate_client_file=False)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
