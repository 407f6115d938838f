from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from healer.batch.cluster import Pool, connected, pool_for, silenced
from healer.errors import RayUnavailable
from healer.settings.loading import Settings

SMALL = {"CPU": 4.0, "memory": 1e9}
LARGE = {"CPU": 16.0, "GPU": 2.0}
HEAD = {"CPU": 0.0}


@pytest.mark.parametrize(
    ("engine", "chosen", "nodes", "expected"),
    [
        ("builtin", {}, [SMALL], Pool(4, 1, 0, 1)),
        ("openai", {}, [SMALL], Pool(4, 1, 0, 1)),
        ("builtin", {"threads": 3}, [SMALL], Pool(3, 1, 0, 1)),
        ("builtin", {}, [HEAD, SMALL, LARGE], Pool(20, 1, 0, 1)),
        ("openvino", {}, [SMALL], Pool(1, 4, 0, 4)),
        ("openvino", {"threads": 2}, [SMALL, LARGE], Pool(2, 4, 0, 2)),
        ("medgemma", {}, [SMALL, LARGE], Pool(2, 1, 1, 0)),
        ("medgemma", {"device": "cpu"}, [LARGE], Pool(1, 16, 0, 16)),
        ("medgemma", {}, [SMALL], Pool(1, 4, 0, 4)),
    ],
)
def test_workers_fit_the_engine_and_the_nodes(
    engine: str, chosen: dict[str, object], nodes: list[dict[str, float]], expected: Pool
) -> None:
    settings = Settings.model_validate(chosen)
    assert pool_for(engine, settings, nodes) == expected


def test_no_cluster_at_an_address_is_reported_at_once() -> None:
    pytest.importorskip("ray.data", reason="archives need healer[ray]")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and never listens
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(RayUnavailable, match=f"at {address} .ConnectionRefusedError."):
            connected(address).__enter__()


SPEAKING = """
import os, sys, warnings
from healer.batch.cluster import silenced
print("before")
with silenced():
    print("ray on stdout")
    os.write(2, b"ray on descriptor 2")
    print("ours on stderr", file=sys.stderr)
print("after")
os.write(2, b"after on descriptor 2")
"""


def test_ray_prints_nothing_and_we_do() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SPEAKING], capture_output=True, text=True, check=True
    )
    assert done.stdout == "before\nafter\n"
    assert done.stderr == "ours on stderr\nafter on descriptor 2"


def test_silence_ends_with_its_block() -> None:
    before = os.fstat(2)
    with silenced():
        assert not os.path.samestat(os.fstat(2), before)
    assert os.path.samestat(os.fstat(2), before)
