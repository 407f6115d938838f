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

from healer.answer import Prediction, new_request_id
from healer.hardware import cores
from healer.quality.gate import LoadedTile
from healer.sandbox import load_tile
from healer.screening.opening import choose_engine, open_screener
from healer.settings.loading import load_settings


class Healer(litserve.LitAPI):  # type: ignore[misc]
    workers = 1
    engine = "builtin"

    def setup(self, device: str) -> None:  # noqa: ARG002 - LitServe's
        threads = max(1, cores() // self.workers)
        self.settings = load_settings(engine=self.engine, threads=threads)
        self.screener = open_screener(choose_engine(self.settings), self.settings)

    def decode_request(self, request: dict[str, str]) -> LoadedTile:
        data = base64.b64decode(request["image"])
        return load_tile(data, self.settings.gate, self.settings.max_pixels)

    def predict(self, admitted: LoadedTile) -> Prediction:
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
