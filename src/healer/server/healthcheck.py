"""Exit 0 if the service in this container is ready: the image's health check."""

from __future__ import annotations

import os
import sys
from http.client import HTTPConnection, HTTPException


def is_ready(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=4)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(not is_ready(int(os.environ.get("PORT", "8080"))))
