from __future__ import annotations

import io
import tarfile
from base64 import b64encode
from pathlib import Path

from tests.image.archive import places
from tests.image.buildah import told

SECRET = "hf_thisIsNobodysToken0000000000"  # noqa: S105
LOG = """[1/2] STEP 1/3: FROM base AS one
[1/2] STEP 2/3: COPY a b
--> Using cache 4d4b75694a1
--> 4d4b75694a1
[1/2] STEP 3/3: RUN make
made
--> 9b1afdea114
[2/2] STEP 1/2: FROM base
[2/2] STEP 2/2: COPY --from=one b c
--> Using cache ca15a5ec907
"""


def test_a_secret_is_found_in_a_layer_and_in_base64(tmp_path: Path) -> None:
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as files:
        content = f"token={SECRET}".encode()
        member = tarfile.TarInfo("etc/settings")
        member.size = len(content)
        files.addfile(member, io.BytesIO(content))
    (tmp_path / "layer.tar").write_bytes(layer.getvalue())
    (tmp_path / "config.json").write_bytes(b'{"env": "' + b64encode(SECRET.encode()) + b'"}')
    (tmp_path / "other").write_text("nothing")
    (tmp_path / "empty").touch()
    assert {path.name for path in places(SECRET, tmp_path)} == {"layer.tar", "config.json"}


def test_a_log_tells_what_was_reused() -> None:
    assert told(LOG) == (("COPY a b", "COPY --from=one b c"), ("RUN make",))
