from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from scripts.measure import deepest_chain, measure, shipped, table

TOY = {
    "__init__": "",
    "main": """\
        from typing import TYPE_CHECKING

        from toy.shop import till

        if TYPE_CHECKING:
            from toy.shop.stock import Stock

        def serve() -> None:
            till()
        """,
    "shop/__init__": "from toy.shop.counter import till as till\n",
    "shop/counter": """\
        from toy.money import Coin

        LIMIT = 3
        _hidden: int = 4

        class Till:
            def open(self) -> None:
                def inner() -> None:
                    pass

                inner()

            def _close(self) -> None:
                pass

        def till() -> Coin:
            return Coin()
        """,
    "shop/stock": "import toy.main\n\n\nclass Stock:\n    pass\n",
    "money": "class Coin:\n    pass\n",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text(
        '[tool.hatch.build.targets.wheel]\npackages = ["src/toy"]\n', encoding="utf-8"
    )
    for name, text in TOY.items():
        path = tmp_path / "src" / "toy" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
    (tmp_path / "src" / "beside.py").write_text("not = shipped", encoding="utf-8")
    return tmp_path


def test_every_figure_of_a_small_package(tree: Path) -> None:
    assert measure(tree, "toy") == {
        "modules": 6,
        "modules under 25 lines": 6,
        "module length, median": 4,  # 0, 1, 2, 5, 9 and 17 lines
        "module length, 90th percentile": 9,
        "module length, maximum": 17,
        "function length, median": 2,  # serve 2, open 5, inner 2, _close 2, till 2
        "function length, 90th percentile": 2,
        "function length, maximum": 5,
        "public names": 7,  # serve, LIMIT, Till, Till.open, till, Stock, Coin
        "deepest import chain under toy.main, in modules": 4,
        "lines shipped in the wheel": 34,
        "lines shipped that are not blank": 24,
    }


def test_imports_for_type_checking_are_no_part_of_a_chain(tree: Path) -> None:
    chain = deepest_chain(tree / "src", "toy")
    assert chain == ["toy.main", "toy.shop", "toy.shop.counter", "toy.money"]


def test_only_the_wheels_packages_are_measured(tree: Path) -> None:
    assert tree / "src" / "beside.py" not in shipped(tree)
    assert len(shipped(tree)) == len(TOY)


def test_a_cycle_is_reported(tree: Path) -> None:
    (tree / "src" / "toy" / "money.py").write_text("import toy.main\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"toy\.main imports itself"):
        deepest_chain(tree / "src", "toy")


def test_before_and_after_stand_side_by_side() -> None:
    assert table(
        {"before": {"modules": 1279, "gone": 1}, "after": {"modules": 7}}
    ).splitlines() == [
        "| figure | before | after |",
        "|---|---|---|",
        "| modules | 1,279 | 7 |",
        "| gone | 1 |  |",
    ]
