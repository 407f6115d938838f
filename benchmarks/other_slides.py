"""One slide by another system's own pipeline with a ResNet-18, for an interpreter that has it.

    PYTHON -m benchmarks.other_slides lazyslide|tiatoolbox SLIDE

Tiles of 224 pixels at 1 µm of the tissue that the system finds itself, with workers for all cores
where that is quicker. Random weights: what a tile costs does not depend on them. Prints a JSON
object; healer is not imported.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.sampling import MemorySampler, processors

SIDE, UM_PER_PX, BATCH, CLASSES = 224, 1.0, 32, 9
OPERATORS = ("nms", "qnms")


def named_operators() -> object:
    """torchvision's compiled operators, of detection, are loaded only by the torch they were built
    for, and importing its Python part needs their names, which last as long as what is returned.
    Neither pipeline calls one."""
    import torch

    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
        for operator in OPERATORS:
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")  # type: ignore[no-untyped-call]
        return library
    return None


def lazyslide(slide: Path, workers: int) -> Callable[[], int]:
    import lazyslide as zs
    import timm
    import torch
    from torchvision.transforms import v2
    from wsidata import open_wsi

    model = timm.create_model("resnet18", pretrained=False, num_classes=CLASSES).eval()
    transform = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])

    def run() -> int:
        wsi = open_wsi(str(slide))
        zs.pp.find_tissues(wsi)
        zs.pp.tile_tissues(wsi, SIDE, mpp=UM_PER_PX)
        zs.tl.feature_extraction(
            wsi,
            model,
            model_name="resnet18",
            transform=transform,
            batch_size=BATCH,
            num_workers=workers,
            device="cpu",
            pbar=False,
        )
        return len(wsi.shapes["tiles"])

    return run


def tiatoolbox(slide: Path, workers: int) -> Callable[[], int]:
    from tiatoolbox.models import IOPatchPredictorConfig, PatchPredictor
    from tiatoolbox.models.architecture.vanilla import CNNModel

    resolution = {"units": "mpp", "resolution": UM_PER_PX}
    config = IOPatchPredictorConfig(
        patch_input_shape=(SIDE, SIDE), stride_shape=(SIDE, SIDE), input_resolutions=[resolution]
    )
    predictor = PatchPredictor(
        model=CNNModel("resnet18", CLASSES), batch_size=BATCH, num_workers=workers, verbose=False
    )

    def run() -> int:
        with tempfile.TemporaryDirectory() as folder:
            output = predictor.run(
                [slide],
                patch_mode=False,
                ioconfig=config,
                save_dir=Path(folder) / "out",
                output_type="zarr",
                device="cpu",
                num_workers=workers,
                batch_size=BATCH,
            )
            return predicted(output)

    return run


def predicted(output: dict[Any, Any]) -> int:
    import zarr

    (place,) = output.values()
    return int(zarr.open(str(place), mode="r")["predictions"].shape[0])


def main() -> None:
    name, slide, workers = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    operators = named_operators()
    run = {"lazyslide": lazyslide, "tiatoolbox": tiatoolbox}[name](slide, workers)
    started, before = time.perf_counter(), processors()
    with MemorySampler() as memory:
        tiles = run()
        seconds, busy = time.perf_counter() - started, processors() - before
    del operators
    answer = {
        "system": f"{name} {importlib.metadata.version(name)}",
        "tiles": tiles,
        "seconds": seconds,
        "busy_ms": 1000 * busy / tiles,
        "memory": memory.most,
    }
    sys.stdout.write(f"\n{json.dumps(answer)}\n")


if __name__ == "__main__":
    main()
