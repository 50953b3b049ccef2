"""These tests are of JAX as its users have it: without float64 where nobody asks for it."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _float64() -> None:
    """No float64, unlike elsewhere."""
