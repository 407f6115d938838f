"""README's configuration table, from the code: `python -m tests.settings_table` rewrites it."""

from __future__ import annotations

from healer.config import Settings, names_of
from tests.conftest import REPO

START, END = "<!-- settings -->", "<!-- /settings -->"


def render() -> str:
    lines = ["| variable | default | what it does |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        variables = " or ".join(f"`{variable}`" for variable in names_of(name, field))
        default = "" if field.default is None else f"`{str(field.default).lower()}`"
        lines.append(f"| {variables} | {default} | {field.description} |")
    return "\n".join(lines)


def rewrite() -> None:
    readme = REPO / "README.md"
    before, rest = readme.read_text().split(START)
    after = rest.split(END)[1]
    readme.write_text(f"{before}{START}\n{render()}\n{END}{after}")


if __name__ == "__main__":
    rewrite()
