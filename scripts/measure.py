"""How large the package is, and how deep: `python -m scripts.measure [--against REVISION]`.

Writes a Markdown table; with `--against`, of a Git revision before and this working tree after.
Lines are all lines of a file, and a function's from its `def` to its last statement.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import statistics
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]
PACKAGE = "healer"
UPLOAD = Path(__file__).with_name("trace_upload.py")
THIN = 25

Figures = Mapping[str, int]


def measure(tree: Path, package: str = PACKAGE) -> dict[str, int]:
    """Every figure that needs no running service, by its name."""
    modules = {path: path.read_text(encoding="utf-8") for path in shipped(tree)}
    lines = [len(text.splitlines()) for text in modules.values()]
    parsed = [ast.parse(text) for text in modules.values()]
    functions = [length for module in parsed for length in function_lengths(module)]
    return {
        "modules": len(modules),
        f"modules under {THIN} lines": sum(length < THIN for length in lines),
        **spread("module", lines),
        **spread("function", functions),
        "public names": sum(len(public_names(module)) for module in parsed),
        f"deepest import chain under {package}.main, in modules": len(
            deepest_chain(tree / "src", package)
        ),
        "lines shipped in the wheel": sum(lines),
        "lines shipped that are not blank": sum(
            bool(line.strip()) for text in modules.values() for line in text.splitlines()
        ),
    }


def shipped(tree: Path) -> list[Path]:
    """The modules that Hatch puts into the wheel: those of its `packages`."""
    project = tomllib.loads((tree / "pyproject.toml").read_text(encoding="utf-8"))
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    return sorted(path for package in packages for path in (tree / package).rglob("*.py"))


def spread(name: str, lengths: Sequence[int]) -> dict[str, int]:
    ordered = sorted(lengths)
    return {
        f"{name} length, median": round(statistics.median(ordered)),
        f"{name} length, 90th percentile": ordered[int(0.9 * (len(ordered) - 1))],
        f"{name} length, maximum": ordered[-1],
    }


def function_lengths(module: ast.Module) -> Iterator[int]:
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield (node.end_lineno or node.lineno) - node.lineno + 1


def public_names(module: ast.Module) -> set[str]:
    """Classes, functions and values that it defines at its top, and its classes' methods."""
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    names = set()
    for node in module.body:
        if isinstance(node, definitions):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {
                f"{node.name}.{each.name}" for each in node.body if isinstance(each, definitions)
            }
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return {name for name in names if not any(part.startswith("_") for part in name.split("."))}


def deepest_chain(source: Path, package: str) -> list[str]:
    """The longest way along imports from `package.main`, those for type checking left out."""
    with importable(source):
        graph = grimp.build_graph(package, exclude_type_checking_imports=True, cache_dir=None)
    path: list[str] = []

    @cache
    def below(module: str) -> tuple[str, ...]:
        if module in path:
            raise ValueError(f"{module} imports itself through {path}")
        path.append(module)
        children = graph.find_modules_directly_imported_by(module)
        longest = max((below(child) for child in sorted(children)), key=len, default=())
        path.pop()
        return (module, *longest)

    return list(below(f"{package}.main"))


@contextmanager
def importable(source: Path) -> Iterator[None]:
    sys.path.insert(0, str(source))
    try:
        yield
    finally:
        sys.path.remove(str(source))


def upload(tree: Path) -> dict[str, int]:
    """The modules in which something ran for one answered POST /predict, after start-up."""
    apart, together = (traced(tree, decoders) for decoders in (1, 0))
    return {
        "modules that an upload crosses": len(apart),
        "of them and its decoder's process together": len(apart | together),
    }


def traced(tree: Path, decoders: int) -> set[str]:
    unset = ("HEALER_", "MODEL_", "MY_HF_", "HF_TOKEN", "PORT")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(unset)}
    environment |= {
        "PYTHONPATH": str(tree / "src"),
        "HEALER_ENGINE": "builtin",
        "HEALER_GATE": "warn",
        "HEALER_LOG_LEVEL": "error",
        "HEALER_DECODERS": str(decoders),
    }
    with tempfile.TemporaryDirectory() as folder:  # where no `.env` is
        done = subprocess.run(  # noqa: S603 - our own script
            [sys.executable, str(UPLOAD), PACKAGE],
            env=environment,
            cwd=folder,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    return set(json.loads(done.stdout.splitlines()[-1]))


@contextmanager
def checked_out(revision: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        git("worktree", "add", "--quiet", "--detach", str(tree), revision)
        try:
            yield tree
        finally:
            git("worktree", "remove", "--force", str(tree))


def git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=ROOT, check=True)  # noqa: S603, S607 - the user's Git


def table(columns: Mapping[str, Figures]) -> str:
    names = list(dict.fromkeys(name for figures in columns.values() for name in figures))
    head = ["| figure |", "|---|"]
    rows = [f"| {name} |" for name in names]
    for title, figures in columns.items():
        head = [f"{head[0]} {title} |", f"{head[1]}---|"]
        values = (f"{figures[name]:,}" if name in figures else "" for name in names)
        rows = [f"{row} {value} |" for row, value in zip(rows, values, strict=True)]
    return "\n".join([*head, *rows])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.measure", description=__doc__)
    parser.add_argument("--against", metavar="REVISION", help="a Git revision to compare with")
    parser.add_argument("--chain", action="store_true", help="also the deepest chain's modules")
    options = parser.parse_args(arguments)
    columns: dict[str, Figures] = {}
    if options.against:
        with checked_out(options.against) as tree:
            columns[options.against] = measure(tree) | upload(tree)
    columns["this tree"] = measure(ROOT) | upload(ROOT)
    print(table(columns))  # noqa: T201 - this is what it is for
    if options.chain:
        print("\n" + " →\n".join(deepest_chain(ROOT / "src", PACKAGE)))  # noqa: T201


if __name__ == "__main__":
    main()
