from __future__ import annotations

import pytest

pytest.importorskip("pyarrow", reason="archives need healer[ray]")
pytest.importorskip("pandas", reason="archives need healer[ray]")
