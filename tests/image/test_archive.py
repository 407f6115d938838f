from __future__ import annotations

import io
import tarfile
from base64 import b64encode
from pathlib import Path

from tests.image.archive import places
from tests.image.buildah import steps_of

SECRET = "hf_thisIsNobodysToken0000000000"  # noqa: S105
LOG = """[1/4] STEP 1/1: FROM python AS base
--> 3cf44ca3d74
[4/4] STEP 1/4: FROM 3cf44ca3d7480dac AS runtime
[4/4] STEP 2/4: COPY --from=one b c
[3/4] STEP 1/3: FROM 3cf44ca3d7480dac AS two
[3/4] STEP 2/3: COPY --from=one b d
[2/4] STEP 1/3: FROM 3cf44ca3d7480dac AS one
[2/4] STEP 2/3: COPY a b
--> Using cache 4d4b75694a1bc0ff
--> 4d4b75694a1
[2/4] STEP 3/3: RUN make
made
--> 9b1afdea114
--> Using cache ca15a5ec907bc0ff
--> ca15a5ec907
[4/4] STEP 3/4: COPY d e
--> 5d4b75694a1
[4/4] STEP 4/4: CMD ["serve"]
COMMIT healer
--> 6d4b75694a1
--> 7d4b75694a1
[3/4] STEP 3/3: RUN make again
--> Using cache 8d4b75694a1bc0ff
--> 8d4b75694a1
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


def test_a_log_shows_what_was_reused_though_stages_wait_for_each_other() -> None:
    reused, made = steps_of(LOG)
    assert reused == ("COPY --from=one b c", "COPY a b", "RUN make again")
    assert made == ("COPY --from=one b d", "RUN make", "COPY d e")
