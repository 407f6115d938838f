"""`kill -9` at any moment: what was acknowledged is in the log, and the chain is whole."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from contextlib import closing

import pytest
from structlog.testing import capture_logs

from healer.audit.chain import verify
from healer.audit.store import PAUSE_SECONDS, Store
from healer.errors import AuditUnavailable
from tests.audit.answers import answer
from tests.audit.cluster import Cluster
from tests.conftest import REPO

ROUNDS = 3


def killed_writer(audit: str, name: str, chance: random.Random) -> list[str]:
    """Start a process with two writing threads and kill it at a moment of its own; returns the
    request ids that it acknowledged."""
    command = [sys.executable, "-m", "tests.audit.writer", audit, name, "0", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=REPO) as process:
        assert process.stdout is not None
        output = [process.stdout.readline() for _ in range(chance.randint(1, 30))]
        time.sleep(chance.uniform(0, 0.02))  # anywhere in a commit
        process.send_signal(signal.SIGKILL)
        output += process.stdout.readlines()
    assert process.returncode == -signal.SIGKILL
    return [line.decode().strip() for line in output if line.endswith(b"\n")]


def recorded(audit: str) -> set[str]:
    with closing(Store(audit)) as store:
        verify(store.links())
        return {str(link.content["request_id"]) for link in store.links()}


@pytest.mark.slow
def test_every_acknowledged_answer_survives(audit: str) -> None:
    with closing(Store(audit)) as store:
        store.upgrade()
    chance = random.Random(7)  # noqa: S311 - a moment, not a secret
    acknowledged: set[str] = set()
    for number in range(ROUNDS):
        acknowledged.update(killed_writer(audit, f"round{number}", chance))
        assert acknowledged <= recorded(audit)
    assert len(acknowledged) > ROUNDS


@pytest.mark.slow
def test_every_acknowledged_answer_survives_the_servers_death(
    cluster: Cluster, postgresql: str
) -> None:
    with closing(Store(postgresql)) as store:
        store.upgrade()
        store.append(answer("before"))
        acknowledged = acknowledged_until_the_server_died(cluster, postgresql)
        with capture_logs() as logged, pytest.raises(AuditUnavailable) as caught:
            store.append(answer("meanwhile"))
        assert "healer-pg" not in str(caught.value), "where it is, is for the log"
        assert logged[0]["event"] == "audit store"
        cluster.start()
        time.sleep(PAUSE_SECONDS)
        store.append(answer("after"))
    assert len(acknowledged) >= 20
    found = recorded(postgresql)
    assert {"before", "after"} | acknowledged <= found
    assert "meanwhile" not in found


def acknowledged_until_the_server_died(cluster: Cluster, postgresql: str) -> set[str]:
    command = [sys.executable, "-m", "tests.audit.writer", postgresql, "w", "0", "2"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=REPO, text=True
    ) as process:
        assert process.stdout is not None
        output = [process.stdout.readline() for _ in range(20)]
        assert all(output)
        cluster.kill()
        rest, complaints = process.communicate()
    assert "AuditUnavailable" in complaints
    return {line.strip() for line in output + rest.splitlines()}
