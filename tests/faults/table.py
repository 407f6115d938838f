"""The table of docs/reliability.md, from what the tests declare: `python -m tests.faults.table`."""

from __future__ import annotations

import importlib
from types import ModuleType

from tests.conftest import REPO
from tests.faults.fault import FAULTS, Fault

ORDER = ("engine", "process", "memory", "disk", "model", "upstream", "clock", "clients")
DOCUMENT = REPO / "docs" / "reliability.md"
START, END = "<!-- faults -->", "<!-- /faults -->"
HEAD = (
    "| fault | the client sees | `/ready` | `/health` | what recovers it |",
    "|---|---|---|---|---|",
)


def modules() -> list[ModuleType]:
    return [importlib.import_module(f"tests.faults.test_{name}") for name in ORDER]


def faults_of(module: ModuleType) -> dict[str, Fault]:
    """By the name of their test, in the order of the file."""
    return {test: fault for (where, test), fault in FAULTS.items() if where == module.__name__}


def table() -> str:
    lines: list[str] = []
    for module in modules():
        lines += [f"### {(module.__doc__ or '').strip().rstrip('.')}", "", *HEAD]
        lines += [row(fault, test) for test, fault in faults_of(module).items()]
        lines += [""]
    return "\n".join(lines)


def row(fault: Fault, test: str) -> str:
    what = f"**{fault.name}**<br>{fault.how} (`{test}`)"
    after = f"{fault.recovery}. {fault.also}".strip()
    return f"| {what} | {client(fault)} | {ready(fault)} | {health(fault)} | {after} |"


def client(fault: Fault) -> str:
    if fault.status is None:
        return "the connection ends"
    cell = f"{fault.status} `{fault.code}`" if fault.code else f"{fault.status}, the answer"
    if fault.retry_after is None:
        return cell
    return f"{cell}, Retry-After {fault.retry_after}"


def ready(fault: Fault) -> str:
    if fault.gone:
        return "no answer"
    return "200" if fault.not_ready is None else f"503: … {fault.not_ready} …"


def health(fault: Fault) -> str:
    if fault.gone:
        return "no answer"
    status = 503 if fault.dead else 200
    return f"{status}" if fault.health is None else f"{status}: … {fault.health} …"


def rewritten(document: str) -> str:
    before, rest = document.split(START)
    return f"{before}{START}\n{table()}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    DOCUMENT.write_text(rewritten(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
