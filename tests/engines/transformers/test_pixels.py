from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

torch = pytest.importorskip("torch")

from healer.engines.transformers.pixels import Normal, batches, to_device  # noqa: E402
from tests.engines.transformers.test_engine import noise  # noqa: E402

if TYPE_CHECKING:
    from healer.engines.transformers.model import Gemma

SIZES = [(90, 70), (1, 1), (1, 40), (50, 3), (112, 112), (200, 33), (500, 400)]
TILES = [noise(seed, *size) for seed, size in enumerate(SIZES)]


@pytest.mark.parametrize("size", [1, 3, 7, 8])
def test_the_model_sees_what_its_processor_makes(gemma: Gemma, size: int) -> None:
    processor = gemma.processor.image_processor
    sent = list(batches(processor, TILES, size))
    assert [len(batch) for batch in sent] == [
        len(TILES[start : start + size]) for start in range(0, len(TILES), size)
    ]
    assert {batch.dtype for batch in sent} == {torch.uint8}
    device = torch.device("cpu")
    normal = Normal(processor, device)
    found = torch.cat([normal(to_device(batch, device)) for batch in sent])
    expected = gemma.inputs(TILES)["pixel_values"]
    assert found.dtype == expected.dtype
    assert float((found - expected).abs().max()) <= 1e-6


def test_one_tile_is_a_batch(gemma: Gemma) -> None:
    [batch] = batches(gemma.processor.image_processor, TILES[:1], 8)
    assert batch.shape == (1, 3, 112, 112)
