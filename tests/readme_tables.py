"""README's tables, from the code and the committed figures: `python -m tests.readme_tables`."""

from __future__ import annotations

import json
from collections.abc import Callable

from pydantic import BaseModel

from healer.settings.loading import GROUPS
from healer.settings.names import variable_names_of
from tests import exit_codes
from tests.conftest import REPO

README = REPO / "README.md"


def settings() -> str:
    return "\n\n".join(group(title, kind) for title, kind in GROUPS.items())


def group(title: str, kind: type[BaseModel]) -> str:
    lines = [f"**{title}**", "", "| variable | default | what it does |", "|---|---|---|"]
    for name, field in kind.model_fields.items():
        variables = " or ".join(f"`{variable}`" for variable in variable_names_of(name, field))
        default = "" if field.default in (None, "") else f"`{str(field.default).lower()}`"
        lines.append(f"| {variables} | {default} | {field.description} |")
    return "\n".join(lines)


def accuracy() -> str:
    figures = json.loads((REPO / "training" / "results.json").read_text(encoding="utf-8"))
    task = "adenocarcinoma against all other classes"
    easy = "adenocarcinoma against normal and polyp"
    lines = [
        "| tiles | against all other classes | against normal and polyp | colour histogram |",
        "|---|---|---|---|",
    ]
    for shift, tasks in figures["network"].items():
        hard = tasks[task]
        lines.append(
            f"| {shift} | **{hard['auroc']:.3f}** ({hard['low']:.3f} to {hard['high']:.3f}) "
            f"| {tasks[easy]['auroc']:.3f} | {figures['baseline'][shift][task]['auroc']:.3f} |"
        )
    return "\n".join(lines)


def laboratories() -> str:
    text = (REPO / "training" / "laboratories.json").read_text(encoding="utf-8")
    lines = [
        "| Kather 2016, left out | tiles | called no / indeterminate / yes |",
        "|---|---|---|",
    ]
    for label, counts in json.loads(text).items():
        plain = counts["as_it_is"]
        lines.append(f"| {label} | {sum(plain)} | {' / '.join(map(str, plain))} |")
    return "\n".join(lines)


TABLES: dict[str, Callable[[], str]] = {
    "settings": settings,
    "exit codes": exit_codes.table,
    "other laboratories": laboratories,
    "accuracy": accuracy,
}


def rewritten(readme: str) -> str:
    for name, table in TABLES.items():
        start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        before, rest = readme.split(start)
        readme = f"{before}{start}\n{table()}\n{end}{rest.split(end)[1]}"
    return readme


if __name__ == "__main__":
    README.write_text(rewritten(README.read_text(encoding="utf-8")))
