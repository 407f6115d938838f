"""README's table of exit codes, from the error tree."""

from __future__ import annotations

import inspect
from collections import defaultdict

from healer import errors
from healer.cli.predict_files import INTERRUPTED
from healer.server.uvicorn_server import HUNG

Kind = type[errors.HealerError]
EVERY: list[Kind] = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, errors.HealerError)
]
# Which commands a branch of the tree can end.
COMMANDS: dict[Kind, str] = {
    errors.InvalidSettings: "all",
    errors.DownloadError: "download",
    errors.ModelError: "predict, slide, eval, calibrate, tune, optimize, audit replay",
    errors.RequestError: "predict, slide, audit replay",
    errors.SlideError: "slide, eval, calibrate",
    errors.HospitalError: "slide, watch",
    errors.DatasetError: "eval, calibrate, tune",
    errors.TuningError: "tune",
    errors.ArchiveError: "predict --input",
    errors.AuditError: "audit",
    errors.TracingLibrariesMissing: "serve",
    errors.KeysError: "keys, serve",
    errors.OidcLibrariesMissing: "serve",
}
# What a service answers to its clients, or what stands in a tile's place.
ENDS_NONE = (
    *(errors.Busy, errors.DeadlineExceeded, errors.ShuttingDown, errors.OutOfMemory),
    *(errors.InternalError, errors.ImageReaderLost, errors.IdentityUnavailable),
    errors.ResultsUnusable,
)
MEANINGS: dict[Kind, str] = {
    errors.InvalidSettings: "An option or a setting cannot be used",
    errors.RequestError: "A path, or the picture there, cannot be read, or answers be written",
}
FIXED = [
    ("all", "0 Done"),
    (
        "predict, slide, doctor, eval, audit",
        "1 Done, but a tile or a slide was not answered (`predict`, `slide`), a check failed "
        "(`doctor`), B is worse than A (`eval --compare`), or the answer is another now (`audit "
        "replay`)",
    ),
    ("all", "1 Nobody foresaw it, and Python says where; or the reader of a pipe has closed it"),
    ("serve", f"{HUNG} The model hangs: start the service again"),
    ("all", f"{INTERRUPTED} Ctrl-C; what was printed or written stays"),
]


def branch_of(kind: Kind) -> Kind | None:
    return next((each for each in kind.__mro__ if each in COMMANDS), None)


def codes_below(branch: Kind) -> str:
    """Each code with what it says; a class without a code of its own has its parent's."""
    meanings = defaultdict(list)
    for kind in EVERY:
        if branch_of(kind) is branch and "exit_code" in vars(kind):
            meanings[kind.exit_code].append(MEANINGS.get(kind, kind.title))
    return "; ".join(f"{code} {' / '.join(titles)}" for code, titles in sorted(meanings.items()))


def table() -> str:
    rows = [*FIXED, *((commands, codes_below(branch)) for branch, commands in COMMANDS.items())]
    rows.sort(key=lambda row: int(row[1].split()[0]))
    lines = ["| command | exit code |", "|---|---|"]
    for commands, codes in rows:
        names = commands if commands == "all" else f"`{commands.replace(', ', '`, `')}`"
        lines.append(f"| {names} | {codes} |")
    return "\n".join(lines)
