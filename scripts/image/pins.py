"""Write lists of exact versions: runtime.txt, tools.txt (download and convert) and build.txt.

    pins.py none|medgemma EXTRA,EXTRA…

Read in the image's build, from pyproject.toml and constraints.txt beside it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

RUNTIME: dict[str, tuple[str, ...]] = {
    "none": ("openai",),
    "medgemma": ("openai", "openvino"),
}
TOOLS = ("openvino", "medgemma")


def main(with_model: str, extras: str) -> None:
    if with_model not in RUNTIME:
        sys.exit(f"WITH_MODEL is medgemma or none, not {with_model}.")
    described = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    more = filter(None, extras.split(","))
    write("runtime.txt", expected(described, (*RUNTIME[with_model], *more)))
    write("tools.txt", expected(described, TOOLS) if with_model == "medgemma" else [])
    write("build.txt", described["build-system"]["requires"])


def expected(described: dict[str, Any], extras: tuple[str, ...]) -> list[str]:
    project = described["project"]
    optional = project["optional-dependencies"]
    wanted, more = list(extras), []
    for extra in wanted:  # an extra may name others, and they join the list
        for each in optional[extra]:
            if each.startswith(f"{project['name']}["):
                named = each.partition("[")[2].rstrip("]").split(",")
                wanted += [other for other in named if other not in wanted]
            else:
                more.append(each)
    return [*project["dependencies"], *more]


def write(name: str, requirements: list[str]) -> None:
    Path(name).write_text("".join(f"{pin}\n" for pin in resolved(requirements)), encoding="utf-8")


def resolved(requirements: list[str]) -> list[str]:
    """All that pip would install, one `name==version` each, in order."""
    if not requirements:
        return []
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
    command += ["--break-system-packages", "--report", "-", "-c", "constraints.txt", *requirements]
    completed = subprocess.run(command, check=True, stdout=subprocess.PIPE)  # noqa: S603
    report = json.loads(completed.stdout)
    found = (each["metadata"] for each in report["install"])
    return sorted(f"{each['name']}=={each['version']}" for each in found)


if __name__ == "__main__":
    main(*sys.argv[1:])
