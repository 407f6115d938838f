"""A service of advisories, OSV's and npm's in one, that knows one vulnerable package."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@contextmanager
def advisories(vulnerable: str | None, status: int = 200) -> Iterator[str]:
    """Its address. It says that every version of one package is vulnerable."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            query = json.loads(body)
            report = osv(query, vulnerable) if self.path == "/osv" else npm(query, vulnerable)
            self._answer(status, report)

        def do_GET(self) -> None:
            self._answer(404, {})

        def _answer(self, status: int, report: object) -> None:
            content = json.dumps(report).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def osv(query: dict[str, Any], vulnerable: str | None) -> dict[str, Any]:
    package = query["package"]
    if package["name"] != vulnerable:
        return {}
    events = [{"introduced": "0"}, {"fixed": "99.0"}]
    affected = [{"package": package, "ranges": [{"type": "ECOSYSTEM", "events": events}]}]
    return {"vulns": [{"id": "PYSEC-0-1", "summary": "It is open.", "affected": affected}]}


def npm(query: dict[str, list[str]], vulnerable: str | None) -> dict[str, Any]:
    report = {"id": 1, "url": "https://example.org/1", "title": "It is open.", "severity": "high"}
    report |= {"vulnerable_versions": "<99", "cwe": [], "cvss": {"score": 0}}
    return {name: [report] for name in query if name == vulnerable}
