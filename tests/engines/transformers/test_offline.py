"""What only a fresh interpreter can show: no request leaves, and nothing is imported too early."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from healer.engines.transformers.loading import offline

pytest.importorskip("torch")

from huggingface_hub import HfApi, constants
from huggingface_hub.errors import OfflineModeIsEnabled

LOAD = """
from pathlib import Path
from healer.engines.base import Answer
from healer.engines.transformers.engine import MedGemmaEngine
from healer.errors import ExtraNotInstalled
from healer.questions.colorectal import COLORECTAL_CANCER

def load(quantization):
    return MedGemmaEngine.load(
        Path(sys.argv[1]), COLORECTAL_CANCER, device="cpu", dtype="bfloat16",
        quantization=quantization, allow_fallback=False, threads=1,
    )
"""
RUN = f"""
import sys
import huggingface_hub
{LOAD}
from tests.gemma import PINK
engine = load("8bit")
[evidence] = engine.score([PINK])
print("".join(engine.explain(evidence, Answer.YES)))
"""
# Shows that the counter would have counted.
ASK_THE_HUB = """
import huggingface_hub
try:
    huggingface_hub.HfApi().model_info("someone/something", timeout=5)
except Exception as error:
    print(type(error).__name__)
"""
BLOCKED = f"""
import sys
import importlib.abc
class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == sys.argv[2]:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
{LOAD}
assert not {{"torch", "transformers", "bitsandbytes"}} & set(sys.modules)
try:
    load("8bit")
except ExtraNotInstalled as error:
    print(error)
"""


@pytest.fixture
def connections() -> Iterator[tuple[str, list[int]]]:
    """A local address, and the connections made to it so far."""
    made: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def count() -> None:
            while True:
                try:
                    client, (_, port) = server.accept()
                except OSError:
                    return
                made.append(port)
                client.close()

        thread = threading.Thread(target=count, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", made
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def python(code: str, *arguments: str, **environment: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_no_request_leaves_at_run_time(
    taught: Path, tmp_path: Path, connections: tuple[str, list[int]]
) -> None:
    address, made = connections
    everywhere = {"HF_ENDPOINT": address, "HTTP_PROXY": address, "HTTPS_PROXY": address}
    nowhere = {"NO_PROXY": "", "no_proxy": "", "HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path)}
    output = python(RUN, str(taught), **everywhere, **nowhere)
    assert output.startswith("Yes, colorectal cancer is present")
    assert made == []
    python(ASK_THE_HUB, **everywhere, **nowhere)
    assert made != []


def test_the_hub_is_closed_while_loading_and_open_again_after() -> None:
    before = constants.HF_HUB_OFFLINE
    with offline(), pytest.raises(OfflineModeIsEnabled):
        HfApi(endpoint="http://127.0.0.1:9").model_info("someone/something")
    assert before == constants.HF_HUB_OFFLINE


@pytest.mark.parametrize("library", ["torch", "transformers", "bitsandbytes", "accelerate"])
def test_a_missing_library_names_the_extra(taught: Path, library: str) -> None:
    output = python(BLOCKED, str(taught), library)
    assert library in output
    assert "pip install 'healer[medgemma]'" in output
