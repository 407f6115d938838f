"""The licences of all that Healer brings along: docs/licences.md, and which are not allowed."""

from __future__ import annotations

import re
from collections.abc import Iterable

from license_expression import ExpressionError, Licensing

from tests.conftest import REPO
from tests.supply.packages import Package, installed, shipped

DOCUMENT = REPO / "docs" / "licences.md"
LICENSING = Licensing()
# What may be used and passed on beside Apache-2.0 code, and what it requires.
NOTICE = "its notice is passed on"
REPLACEABLE = "it can be replaced by another version; it is a package of its own"
ALLOWED = {
    "0BSD": "nothing",
    "CC0-1.0": "nothing",
    "Apache-2.0": NOTICE,
    "Apache-2.0 WITH LLVM-exception": NOTICE,
    "BSD": NOTICE,
    "BSD-1-Clause": "its notice is passed on with source code",
    "BSD-2-Clause": NOTICE,
    "BSD-3-Clause": NOTICE,
    "BSD-4.3TAHOE": "its notice is passed on; advertising for its features names its authors",
    "BSL-1.0": "its notice is passed on with source code",
    "CNRI-Python": NOTICE,
    "IJG": "documents say whose work it is based on: NOTICE does",
    "ISC": NOTICE,
    "MIT-0": "nothing",
    "MIT": NOTICE,
    "MIT-CMU": NOTICE,
    "PSF-2.0": NOTICE,
    "libpng-2.0": "its notice is passed on with source code",
    "libtiff": NOTICE,
    "blessing": "nothing",
    "LicenseRef-Public-Domain": "nothing",
    "Zlib": "its notice is passed on with source code",
    "MPL-2.0": "changes to its own files are published; we make none",
    "LGPL-2.1-only": REPLACEABLE,
    "LGPL-2.1-or-later": REPLACEABLE,
    "LGPL-3.0-only": REPLACEABLE,
}
# Other spellings; "BSD" stays what it is where a package does not say which.
SPDX_NAMES = {
    "Apache": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache 2.0 License": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "3-Clause BSD License": "BSD-3-Clause",
    "BSD License": "BSD",
    "BSD license": "BSD",
    "ISC License": "ISC",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "PSFL": "PSF-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
ELSEWHERE = re.compile(r"SEE LICENSE IN \S+")  # npm's, for a file of the package


def spdx(licence: str) -> str:
    """As an SPDX expression."""
    plain = ELSEWHERE.sub("LicenseRef-in-a-file", licence)
    return SPDX_NAMES.get(plain, plain)


def allowed(expression: str) -> bool:
    """Whether one can keep to it by licences that are allowed."""
    try:
        parsed = LICENSING.parse(expression)
    except ExpressionError:
        return False
    return parsed is not None and _allowed(parsed)


def _allowed(parsed: object) -> bool:
    if isinstance(parsed, (LICENSING.AND, LICENSING.OR)):
        quantifier = any if isinstance(parsed, LICENSING.OR) else all
        return quantifier(map(_allowed, parsed.args))
    return str(parsed) in ALLOWED


def refused(packages: Iterable[Package]) -> list[str]:
    return [
        f"{each.name} is under {each.licence}, which nobody has allowed yet: read it, then add it "
        "to ALLOWED in tests/supply/licences.py, or do without the package."
        for each in packages
        if not allowed(spdx(each.licence))
    ]


def document(python: Iterable[Package], page: Iterable[Package]) -> str:
    return PAGE.format(
        allowed="\n".join(f"| {name} | {requires} |" for name, requires in ALLOWED.items()),
        python="\n".join(map(row, python)),
        page="\n".join(map(row, page)),
    )


def row(package: Package) -> str:
    return f"| {package.name} | {spdx(package.licence)} |"


PAGE = """# Licences

Healer is under Apache-2.0, and brings the packages below. `make audit` writes this file from what
the packages say of themselves, and fails where one is under a licence that nobody has allowed.

Python packages carry the texts of their licences in their `.dist-info` folders, Debian's in
`/usr/share/doc/*/copyright`, and those of the page's packages are at `/page/licences.txt`. Wheels
hold libraries of others too (psycopg-binary, for instance, PostgreSQL's and OpenSSL), and torch for
CUDA brings NVIDIA's, under NVIDIA's terms. What MedGemma's terms require is in [NOTICE](../NOTICE).

| allowed | what it requires |
|---|---|
{allowed}

## Python

All that the extras bring but for `dev`, on Linux. Exact versions are in `constraints.txt`, and
[dependencies.md](dependencies.md) says what Healer's own dependencies are for.

| package | licence |
|---|---|
{python}

## The page

Exact versions are in `frontend/package-lock.json`.

| package | licence |
|---|---|
{page}
"""


def write() -> list[str]:
    """The document, and what of it is not allowed."""
    python, page = installed(), sorted(shipped())
    DOCUMENT.write_text(document(python, page), encoding="utf-8")
    return refused([*python, *page])


def summary(faults: list[str]) -> str:
    return "\n  ".join(
        (f"licences: {len(faults)} not allowed; docs/licences.md is written", *faults)
    )
