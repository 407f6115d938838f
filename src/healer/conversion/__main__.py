"""Convert without the command line: `python -m healer.conversion DOWNLOAD FOLDER int8|int4`.

For the image, whose model layer is rebuilt whenever a module that makes it changes: this imports
few of them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import cast, get_args

from healer.conversion.convert import convert
from healer.conversion.describe import known_samples
from healer.conversion.request import ConversionRequest
from healer.engines.openvino.conversion_record import Weights
from healer.errors.base import HealerError
from healer.questions.colorectal import COLORECTAL_CANCER


def main(source: str, out: str, weights: str) -> int:
    if weights not in get_args(Weights):
        sys.stderr.write(f"The weights are {' or '.join(get_args(Weights))}, not {weights}.\n")
        return 2
    kind = cast(Weights, weights)
    request = ConversionRequest(
        Path(source), Path(out), COLORECTAL_CANCER, known_samples(), kind, print_progress
    )
    try:
        made = convert(request)
    except HealerError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    for tile in made.parity.tiles:
        sys.stdout.write(
            f"{tile.tile}: margin {tile.margin:+.4f}, in float32 {tile.reference_margin:+.4f}\n"
        )
    sys.stdout.write(f"{made.source.model_id} as {weights}: {made.size:,} bytes\n")
    return 0


def print_progress(stage: str, done: int, total: int) -> None:
    if done == total:
        sys.stdout.write(f"{stage}: {done} of {total}\n")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
