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
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = Path("src/healer/engines/openvino")
NAMES = (
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
)
SOURCES = [FOLDER / f"{name}.c" for name in NAMES]
LIBRARY = FOLDER / "libkernels.so"
# Not -O3: it moves the sums of the innermost loops out of registers.
OPTIONS = ("-O2", "-std=gnu11", "-shared", "-fPIC", "-pthread")


class CompileKernel(BuildHookInterface):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        if self.target_name != "wheel":
            return
        root = Path(self.root)
        (root / LIBRARY).unlink(missing_ok=True)  # one of an older source must not stay
        why = compile_kernel(root)
        if why:
            self.app.display_warning(f"without the kernels in C: {why}")
            return
        build_data["artifacts"].append(LIBRARY.as_posix())
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform_tag()}"


def compile_kernel(root: Path) -> str | None:
    """Why it could not be compiled, if so."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        return "it is for Linux on x86-64"
    compiler = shlex.split(os.environ.get("CC", "cc"))
    if not compiler or shutil.which(compiler[0]) is None:
        return f"no C compiler ({' '.join(compiler) or 'CC'}) was found"
    for options in (OPTIONS, (*OPTIONS, "-DHEALER_WITHOUT_AMX")):  # for an assembler older than it
        command = [*compiler, *options, *map(str, SOURCES), "-o", str(LIBRARY), "-lm"]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode == 0:
            return None
    return f"{compiler[0]} failed:\n{done.stderr}"


def platform_tag() -> str:
    """Nothing in it depends on the version of Python."""
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")
