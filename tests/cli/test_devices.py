"""`backprop devices`."""

from __future__ import annotations

import json

import numpy as np
import pytest

from backprop.cli import main

pytestmark = pytest.mark.usefixtures("elsewhere")


def test_devices(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["devices"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["numpy", "cupy", "torch", "jax", "strict"]
    assert lines[0] == f"numpy   usable    {np.__version__} on cpu"
    assert all(line.split()[1] == "usable" or ";" in line for line in lines)
    assert main(["devices", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["usable"] is True
