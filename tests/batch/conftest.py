from __future__ import annotations

import pytest

pytest.importorskip("pyarrow", reason="archives need healer[ray]")
pytest.importorskip("pandas", reason="archives need healer[ray]")

from tests.batch.ray_head import cluster as cluster
