"""The types of arrays at run time."""

from __future__ import annotations

import subprocess
import sys
from typing import get_type_hints

import numpy as np

from backends import HostArray


def test_a_host_array_is_numpy_s_without_importing_it() -> None:
    def function(x: HostArray | None, by_name: dict[str, HostArray]) -> None: ...

    assert get_type_hints(function, {"HostArray": HostArray, "numpy": np})["x"] == np.ndarray | None
    code = "import sys; from backends import HostArray; HostArray | None; print('numpy' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"
