"""What all tests share: where real data lies, and records to feed methods with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of real data and weights, or skip."""
    folder = os.environ.get("NCSELECT_DATA")
    if not folder:
        pytest.skip("NCSELECT_DATA names no folder of real data and weights")
    return Path(folder)
