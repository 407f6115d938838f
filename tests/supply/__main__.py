"""`scripts/audit`: 0 where all is well, 1 where something is wrong, 3 where it is not known."""

from __future__ import annotations

import sys

from tests.supply import advisories, licences

WRONG, UNKNOWN = 1, 3


def main() -> int:
    faults = licences.write()
    audits = [advisories.python(), advisories.page()]
    sys.stdout.write("\n".join([licences.summary(faults), *map(str, audits), ""]))
    if faults or any(audit.found for audit in audits):
        return WRONG
    return UNKNOWN if any(audit.unknown for audit in audits) else 0


if __name__ == "__main__":
    sys.exit(main())
