from __future__ import annotations

from scripts.measure import ROOT, traced


def test_an_upload_runs_through_the_server_the_queue_and_the_engine() -> None:
    modules = traced(ROOT, decoders=0)
    assert {"healer.server.routes", "healer.engines.builtin.engine"} <= modules
    assert {room.split(".")[1] for room in modules} >= {
        "images",
        "quality",
        "scheduling",
        "screening",
    }
    assert "healer.download" not in modules
