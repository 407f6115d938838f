"""Compiles our kernels where that can be done; Healer installs and works without it."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any, NamedTuple

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Library(NamedTuple):
    """`sources` are names in `folder`, as is the library's own; `options` those of the compiler."""

    folder: Path
    name: str
    sources: tuple[str, ...]
    options: tuple[str, ...]

    @property
    def path(self) -> Path:
        return self.folder / self.name

    def command(self, compiler: list[str], further: tuple[str, ...]) -> list[str]:
        sources = [str(self.folder / f"{name}.c") for name in self.sources]
        options = (*OPTIONS, *self.options, *further)
        return [*compiler, *options, *sources, "-o", str(self.path), "-lm"]


OPTIONS = ("-std=gnu11", "-shared", "-fPIC", "-pthread")
KERNELS = Library(
    Path("src/healer/engines/openvino"),
    "libkernels.so",
    (
        "threads",
        "amx",
        "attention",
        "attention_amx",
        "attention_vnni",
        "decoder",
        "products",
        "products_amx",
        "products_groups",
        "products_vnni",
    ),
    ("-O2",),  # not -O3: it moves the sums of the innermost loops out of registers
)
GATE = Library(
    Path("src/healer/quality"),
    "libgate.so",
    ("gate", "gate_avx2"),
    # What NumPy rounds twice must not be rounded once.
    ("-O3", "-ffp-contract=off", "-fno-trapping-math", "-fno-math-errno"),
)
LIBRARIES = (KERNELS, GATE)


class CompileKernel(BuildHookInterface):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        if self.target_name != "wheel":
            return
        root = Path(self.root)
        for library in LIBRARIES:
            (root / library.path).unlink(missing_ok=True)  # one of an older source must not stay
        why = compile_kernel(root)
        if why:
            self.app.display_warning(f"without all of the code in C: {why}")
        made = [each.path.as_posix() for each in LIBRARIES if (root / each.path).exists()]
        if made:
            build_data["artifacts"] += made
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{platform_tag()}"


def compile_kernel(root: Path, libraries: tuple[Library, ...] = LIBRARIES) -> str | None:
    """Why not all of them could be compiled, if so."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        return "it is for Linux on x86-64"
    compiler = shlex.split(os.environ.get("CC", "cc"))
    if not compiler or shutil.which(compiler[0]) is None:
        return f"no C compiler ({' '.join(compiler) or 'CC'}) was found"
    failures = [why for library in libraries if (why := compile_library(root, library, compiler))]
    return "\n".join(failures) or None


def compile_library(root: Path, library: Library, compiler: list[str]) -> str | None:
    for further in ((), ("-DHEALER_WITHOUT_AMX",)):  # for an assembler older than it
        command = library.command(compiler, further)
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode == 0:
            return None
    return f"{compiler[0]} failed:\n{done.stderr}"


def platform_tag() -> str:
    """Nothing in it depends on the version of Python."""
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")
