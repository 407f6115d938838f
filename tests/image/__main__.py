"""`scripts/test-image [--light]`; ends with 1 where something does not hold."""

from __future__ import annotations

import sys

from tests.image import run


def main(arguments: list[str]) -> None:
    if reason := run.missing():
        sys.exit(f"No image can be built here: {reason}.")
    with run.bench() as at:
        if "--model" not in arguments:
            run.light(at)
        if "--light" not in arguments:
            from tests.image.medgemma import medgemma

            medgemma(at)


if __name__ == "__main__":
    main(sys.argv[1:])
