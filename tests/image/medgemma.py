"""The image with MedGemma: a tiny checkpoint of its shape, from a hub on this machine."""

from __future__ import annotations

import secrets
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from healer import errors
from tests.gemma import PINK, make_checkpoint
from tests.hub import COMMIT, Hub
from tests.image import archive
from tests.image.buildah import Built, Order
from tests.image.run import Bench, png, say, show_rebuild, show_run, show_sizes

MODEL_ID = "google/medgemma-4b-it"
PORT = 47281  # always the same: it is an argument of the build, on which layers depend
STRANGER = "hf_neverIssued0000000000000000000000"
NEWCOMER = "hf_neverAccepted00000000000000000000"


def medgemma(at: Bench) -> None:
    """Refusals first, then the image: built, rebuilt, scanned for the token, run, stopped."""
    say("== WITH_MODEL=medgemma, with a tiny checkpoint of its shape")
    checkpoint = make_checkpoint(at.scratch / "checkpoint", taught=True)
    token = f"hf_{secrets.token_hex(18)}"
    caches = at.scratch / "caches"
    caches.mkdir()
    with Hub(MODEL_ID, checkpoint, token=token, gated_for=(NEWCOMER,), port=PORT) as hub:
        fields = {"MODEL_ID": MODEL_ID, "MODEL_REVISION": COMMIT, "HF_ENDPOINT": hub.url}
        order = at.order("localhost/healer:medgemma", "medgemma", **fields)
        show_refusals(at, order, hub)
        order = replace(order, secrets=secret(at, token), caches=caches)
        change(at, "scripts/image/acquire")  # or its layer would be taken from an earlier run
        with at.buildah.passing():
            built = at.build(order)
            say(f"build: {built.seconds:.0f} s, the model downloaded and converted")
            sent = len(hub.requests)
            show_rebuild(at, order)
            show_remade(at, order)
            assert len(hub.requests) == sent, "a rebuild sent requests to the hub"
            show_sizes(at, order.tag)
            show_scan(at, token, built)
            show_run(at, order.tag, png(PINK.pixels), gate="off")
            show_frozen(at, order)


def secret(at: Bench, token: str | None) -> dict[str, Path]:
    if token is None:
        return {}
    path = at.scratch / "secret"
    path.write_text(token)
    return {"hf_token": path}


def change(at: Bench, name: str) -> None:
    with (at.context / name).open("a") as changed:
        changed.write(f"\n# changed at {time.time_ns()}\n")


def show_refusals(at: Bench, order: Order, hub: Hub) -> None:
    """Each stops the build with the downloader's own sentence and code, and prints no token."""
    weights = next(name for name in hub.names() if name.endswith(".safetensors"))
    for name, token, sizes, error in (
        ("no secret", None, {}, errors.TokenMissing),
        ("wrong token", STRANGER, {}, errors.TokenRejected),
        ("licence not accepted", NEWCOMER, {}, errors.LicenceNotAccepted),
        ("full disk", hub.token, {weights: 10**16}, errors.DiskFull),
    ):
        hub.faults.sizes = dict(sizes)
        with tempfile.TemporaryDirectory() as caches:
            changed = replace(order, secrets=secret(at, token), caches=Path(caches), target="model")
            # Weights of its own, or the layer of a build that went well would be taken.
            changed = replace(changed, arguments={**order.arguments, "MODEL_WEIGHTS": "int4"})
            built = at.buildah.build(at.context, changed)
        assert built.returncode != 0, name
        assert token is None or token not in built.log
        first_line, ended = built.log.split("./acquire")[1].splitlines()[1:3]
        assert ended.endswith(f"status {error.exit_code}"), built.log
        say(f"{name} ({error.exit_code}): {first_line}")
    hub.faults.sizes = {}


def show_remade(at: Bench, order: Order) -> None:
    """A change of code that the model's stage does copy: neither download nor conversion again."""
    change(at, "src/healer/errors/base.py")
    built = at.build(order)
    assert any("./acquire" in step for step in built.made), built.log
    assert "language: 7 of 7" not in built.log, built.log
    assert any(step.startswith("COPY --from=model /model") for step in built.reused), built.made
    say(f"rebuild after a change of src/healer/errors/base.py: {built.seconds:.0f} s, model kept")


def show_frozen(at: Bench, order: Order) -> None:
    """With the model stage as an image of its own, not even a change of the converter runs it."""
    at.build(replace(order, tag="localhost/healer-model", target="model"))
    change(at, "src/healer/conversion/request.py")
    contexts = {"model": "container-image://localhost/healer-model"}
    built = at.build(replace(order, contexts=contexts, secrets={}))
    assert not [step for step in built.made + built.reused if "./acquire" in step], built.log
    say(f"rebuild on a frozen model after a change of the converter: {built.seconds:.0f} s")


def show_scan(at: Bench, token: str, built: Built) -> None:
    """Nowhere in the image, in any stage's layers or in the log; and a planted one is found."""
    image = at.buildah.archive("localhost/healer:medgemma", at.scratch / "image.tar")
    log = at.scratch / "build.log"
    log.write_text(built.log)
    everything = (image, at.buildah.storage, log)
    found = archive.places(token, *everything)
    assert not found, found
    size = sum(path.stat().st_size for root in everything for path in archive.files(root))
    where = "the image, its history, the build's log, or any layer of any stage"
    say(f"token: not in {where} ({size / 1e9:.1f} GB searched)")
    found_in = plant(at, token)
    say(f"token planted wrongly, by ENV and as a file: found in {', '.join(found_in)}")


def plant(at: Bench, token: str) -> list[str]:
    """Build an image that holds it, as a Dockerfile that does this wrongly would."""
    context = at.scratch / "planted"
    context.mkdir()
    (context / "Dockerfile").write_text(
        "FROM localhost/healer:medgemma\nARG TOKEN\nENV TOKEN=$TOKEN\nCOPY token /tmp/token\n"
    )
    (context / "token").write_text(token)
    order = Order("localhost/healer:planted", {"TOKEN": token})
    assert at.buildah.build(context, order).returncode == 0
    unpacked = at.scratch / "unpacked"
    archive.unpack(at.buildah.archive(order.tag, at.scratch / "planted.tar"), unpacked)
    at.buildah.run("rmi", "--force", order.tag)
    places = archive.places(token, unpacked)
    layers = [path for path in places if path.suffix == ".tar"]
    records = [path for path in places if path not in layers]
    assert layers, places
    assert any("history" in path.read_text(encoding="utf-8") for path in records), places
    return [f"{len(layers)} layer", f"{len(records)} records of configuration and history"]
