"""A stand-in for the Hugging Face hub on a real socket, serving one folder as one model.

It answers as the hub does: a gated model's listing is public but its files are not; a token the
hub never issued is refused everywhere; files in LFS are reached by a redirect to another origin.
`python -m tests.hub FOLDER` serves a folder until interrupted.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Literal, Self
from urllib.parse import unquote, urlsplit

COMMIT = "5" * 40
LFS_SUFFIXES = (".safetensors", ".model", ".pth", ".gguf")
BRANCH = "main"
Ranges = Literal["kept", "rest as 200", "whole as 206", "416", "ignored"]


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived; `start` is the first byte a Range header requested."""

    method: str
    path: str
    host: str
    token_sent: bool
    start: int | None


@dataclass(frozen=True, slots=True)
class Stored:
    """What git and LFS call a file."""

    size: int
    blob_id: str
    sha256: str


@dataclass(slots=True)
class Faults:
    """Switches a test may turn at any time."""

    statuses: dict[str, int] = field(default_factory=dict)  # path fragment → status
    drops: list[int] = field(default_factory=list)  # cut the next downloads after so many bytes
    sizes: dict[str, int] = field(default_factory=dict)  # what the listing claims
    contents: dict[str, bytes] = field(default_factory=dict)  # what is sent instead
    ranges: Ranges = "kept"  # what becomes of a Range header
    page: bytes | None = None  # what a network's sign-in page says in the API's place
    before_body: Callable[[], None] | None = None  # runs once a large file is requested


class Hub:
    """`with Hub("owner/name", folder) as hub:` then point HF_ENDPOINT at `hub.url`.

    `token` is what an account with access would send (None: the model is open); `gated_for` are
    tokens of accounts that never accepted the terms.
    """

    def __init__(
        self,
        repo_id: str,
        folder: Path,
        *,
        commit: str = COMMIT,
        token: str | None = None,
        gated_for: tuple[str, ...] = (),
        port: int = 0,
    ) -> None:
        self.repo_id, self.folder, self.commit = repo_id, folder, commit
        self.token, self.gated_for = token, gated_for
        self.aliases: tuple[str, ...] = (BRANCH,)  # other revisions that lead to the commit
        self.requests: list[Request] = []
        self.faults = Faults()
        self._server = ThreadingHTTPServer(
            ("127.0.0.1", port), type("_", (_Handler,), {"hub": self})
        )
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def bodies(self, name: str = "") -> list[Request]:
        """Requests for a file's content at the place it is finally served from."""
        if name.endswith(LFS_SUFFIXES):
            fragment = f"/lfs/{name}"
            return [r for r in self.requests if r.method == "GET" and r.path.endswith(fragment)]
        files = [r for r in self.requests if r.method == "GET" and "/resolve/" in r.path]
        return [request for request in files if request.path.endswith(name)]

    def names(self) -> list[str]:
        files = (path for path in self.folder.rglob("*") if path.is_file())
        return sorted(path.relative_to(self.folder).as_posix() for path in files)

    def content(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def stored(self, name: str) -> Stored:
        path = self.folder / name
        return _stored(path, path.stat().st_mtime_ns)


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        pass

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self._record(path)
        for fragment, status in self.hub.faults.statuses.items():
            if fragment in path:
                return self._refuse(status)
        if path.startswith("/api/") and (page := self.hub.faults.page) is not None:
            return self._send(200, page, {"Content-Type": "text/html"})
        if (large := re.fullmatch(r"/lfs/(.+)", path)) is not None:
            return self._body(large[1])
        if self._sent_token() not in (None, self.hub.token, *self.hub.gated_for):
            return self._refuse(401, message="Invalid credentials in Authorization header")
        return self._repository(path)

    def _repository(self, path: str) -> None:
        repo = re.escape(self.hub.repo_id)
        if (found := re.fullmatch(rf"/api/models/{repo}/(revision|tree)/(.+)", path)) is not None:
            return self._listing(found[1]) if self._known(found[2]) else self._no_revision()
        if (found := re.fullmatch(rf"/{repo}/resolve/([^/]+)/(.+)", path)) is not None:
            return self._file(found[2]) if self._known(found[1]) else self._no_revision()
        # The hub does not reveal to a stranger whether a private model exists.
        return self._refuse(401 if self._sent_token() is None else 404, "RepoNotFound")

    def _known(self, revision: str) -> bool:
        return revision in (self.hub.commit, *self.hub.aliases)

    def _no_revision(self) -> None:
        self._refuse(404, "RevisionNotFound")

    def _listing(self, kind: str) -> None:
        files = [_describe(self.hub, name) for name in self.hub.names()]
        if kind == "tree":
            entries: object = [_as_tree_entry(file) for file in files]
        else:
            entries = {"id": self.hub.repo_id, "sha": self.hub.commit, "siblings": files}
        self._send(200, json.dumps(entries).encode(), {"Content-Type": "application/json"})

    def _file(self, name: str) -> None:
        if self.hub.token is not None and self._sent_token() != self.hub.token:
            return self._refuse(401 if self._sent_token() is None else 403, "GatedRepo")
        if name not in self.hub.names():
            return self._refuse(404, "EntryNotFound")
        if not name.endswith(LFS_SUFFIXES):
            return self._body(name)
        file = self.hub.stored(name)
        headers = {
            "Location": f"http://localhost:{self.hub.port}/lfs/{name}",
            "X-Linked-Size": str(file.size),
            "X-Linked-Etag": f'"{file.sha256}"',
        }
        return self._send(302, b"", headers)

    def _body(self, name: str) -> None:
        content = self.hub.faults.contents.get(name, self.hub.content(name))
        headers = {"ETag": f'"{self.hub.stored(name).blob_id}"', "Accept-Ranges": "bytes"}
        if name.endswith(LFS_SUFFIXES) and self.hub.faults.before_body:
            self.hub.faults.before_body()
        start = _range_start(self.headers.get("Range"))
        ranges = self.hub.faults.ranges
        if start is None or ranges == "ignored":
            return self._send(200, content, headers)
        if start >= len(content) or ranges == "416":
            return self._refuse(416)
        if ranges == "rest as 200":
            return self._send(200, content[start:], headers)
        if ranges == "whole as 206":
            headers["Content-Range"] = f"bytes 0-{len(content) - 1}/{len(content)}"
            return self._send(206, content, headers)
        headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return self._send(206, content[start:], headers)

    def _refuse(self, status: int, code: str = "", message: str = "") -> None:
        headers = {"X-Error-Code": code, "X-Error-Message": message or code}
        self._send(status, b"", {key: value for key, value in headers.items() if value})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        common = {"X-Repo-Commit": self.hub.commit, "Content-Length": str(len(body))}
        for key, value in (common | headers).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        is_large = "/lfs/" in self.path
        if is_large and self.hub.faults.drops:
            body = body[: self.hub.faults.drops.pop(0)]
        with suppress(ConnectionError):  # a client may stop listening
            self.wfile.write(body)

    def _sent_token(self) -> str | None:
        header = self.headers.get("Authorization")
        return header.removeprefix("Bearer ") if header else None

    def _record(self, path: str) -> None:
        self.hub.requests.append(
            Request(
                method=self.command,
                path=path,
                host=self.headers.get("Host", ""),
                token_sent=self._sent_token() is not None,
                start=_range_start(self.headers.get("Range")),
            )
        )


def _describe(hub: Hub, name: str) -> dict[str, object]:
    file = hub.stored(name)
    size = hub.faults.sizes.get(name, file.size)
    described: dict[str, object] = {"rfilename": name, "size": size, "blobId": file.blob_id}
    if name.endswith(LFS_SUFFIXES):
        described["lfs"] = {"size": size, "sha256": file.sha256, "pointerSize": 134}
    return described


def _as_tree_entry(file: dict[str, object]) -> dict[str, object]:
    entry = {"type": "file", "path": file["rfilename"], "size": file["size"], "oid": file["blobId"]}
    if isinstance(lfs := file.get("lfs"), dict):
        entry["lfs"] = {"oid": lfs["sha256"], "size": lfs["size"], "pointerSize": 134}
    return entry


@lru_cache
def _stored(path: Path, _modified_ns: int) -> Stored:
    content = path.read_bytes()
    blob_id = hashlib.sha1(b"blob %d\0" % len(content), usedforsecurity=False)
    blob_id.update(content)
    return Stored(len(content), blob_id.hexdigest(), hashlib.sha256(content).hexdigest())


def _range_start(header: str | None) -> int | None:
    found = re.fullmatch(r"bytes=(\d+)-", header or "")
    return int(found[1]) if found else None


if __name__ == "__main__":
    with Hub("google/medgemma-4b-it", Path(sys.argv[1])) as served:
        sys.stdout.write(f"HF_ENDPOINT={served.url} MODEL_REVISION={served.commit}\n")
        sys.stdout.flush()
        threading.Event().wait()
