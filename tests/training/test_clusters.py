from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training import card, clusters, crossval
from training.data import Tiles
from training.fit import Recipe

TINY = Recipe(epochs=1, drawn=(0.0,), batch=6, neck=8)


TINTS = np.array([(240, 90, 160), (120, 200, 90), (90, 90, 240), (60, 60, 60)], np.uint8)


def in_four_colours(tiles: Tiles) -> Tiles:
    """Cases 0, 4, 8 in one dye, cases 1, 5, 9 in the next, and so on."""
    tints = TINTS[[int(case.split()[1]) % 4 for case in tiles.cases]]
    pixels = tiles.pixels // 16 + tints[:, None, None]
    return Tiles(tiles.paths, pixels, tiles.masks, tiles.masked, tiles.labels, tiles.cases)


def test_cases_of_one_colour_make_a_cluster(drawn: Tiles) -> None:
    groups = clusters.clusters(in_four_colours(drawn))
    numbers = np.array([int(case.split()[1]) % 4 for case in drawn.cases])
    pairs = {(int(number), int(group)) for number, group in zip(numbers, groups, strict=True)}
    assert len(pairs) == 4
    assert len(set(groups)) == 4


@pytest.mark.slow
def test_a_cluster_is_measured_by_the_network_that_never_saw_it(
    drawn: Tiles, tmp_path: Path
) -> None:
    # Cancer in every cluster, and something else too.
    labels = np.arange(len(drawn)) % 2
    tiles = in_four_colours(
        Tiles(drawn.paths, drawn.pixels, drawn.masks, drawn.masked, labels, drawn.cases)
    )
    crossval.train(tiles, TINY, 1, tmp_path)
    with crossval.bars() as progress:
        clusters.train(tiles, TINY, tmp_path, progress)
    rows = clusters.measure(tiles, TINY, tmp_path)
    assert [row["tiles"] for row in rows] == [6, 6, 6, 6]
    assert all(row["cancers"] == 3 for row in rows)
    clusters.write(rows, tmp_path / "clusters.json")
    assert card.stain_clusters(tmp_path / "clusters.json").count("| 3 / 6 | 3 |") == 4


def test_the_card_keeps_what_stands_round_a_table() -> None:
    text = f"a\n{card.BY_STAIN}\nold\n{card.BY_STAIN_END}\nb"
    new = card.rendered(text, "new", card.BY_STAIN, card.BY_STAIN_END)
    assert new == f"a\n{card.BY_STAIN}\nnew\n{card.BY_STAIN_END}\nb"
