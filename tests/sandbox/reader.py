"""`python -m tests.sandbox.reader`: a service of which one process is busy and one is not."""

from __future__ import annotations

import asyncio
import sys

from healer.sandbox.loader import Sandboxed
from tests.images.hostile.parts import good
from tests.sandbox.conftest import HASTY


async def main() -> None:
    size = int.from_bytes(sys.stdin.buffer.read(8))
    endless = sys.stdin.buffer.read(size)
    loader = Sandboxed(HASTY, 2)
    await loader.start()
    await loader.load(good("PNG"), "off")
    busy = asyncio.create_task(loader.load(endless, "off"))
    await asyncio.sleep(0.2)
    sys.stdout.write(" ".join(map(str, loader.pids)) + "\n")
    sys.stdout.flush()
    await busy


if __name__ == "__main__":
    asyncio.run(main())
