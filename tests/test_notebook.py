"""A notebook, executed by a kernel of Jupyter's: what its cells hold afterwards."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from .tables import Tables

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

pytestmark = pytest.mark.filterwarnings("default")  # those of Jupyter are not ours

CELLS = """
import numpy as np
from backprop import Affine, Network, ReLU, RunRecorder, TwoLayerNet, check_gradients, fit
rng = np.random.default_rng(0)
x, t = rng.standard_normal((300, 4)).astype("float32"), np.arange(300) % 3
network = TwoLayerNet(4, 8, 3, rng=0)
network
---
training = fit(network, x, t, epochs=30, batch_size=20, rng=0)
---
training
---
check_gradients(network.to(dtype="float64"), x[:5].astype("float64"), t[:5])
---
class MyAffine:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        return np.dot(x, self.W) + self.b

    def backward(self, dout):
        self.dW = -np.dot(self.x.T, dout)
        self.db = dout.sum(axis=0)
        return np.dot(dout, self.W.T)

check_gradients(Network([MyAffine(rng.standard_normal((4, 3)), np.zeros(3))]), x[:5].astype("float64"), t[:5])
---
recorder = RunRecorder("mine")
_ = fit(TwoLayerNet(4, 8, 3, rng=0), x, t, epochs=2, batch_size=20, rng=0, recorder=recorder)
recorder.page
"""


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> list[list[Any]]:
    """The outputs of every cell."""
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(text.strip()) for text in CELLS.split("---")]
    folder = str(tmp_path_factory.mktemp("notebook"))
    options = {"resources": {"metadata": {"path": folder}}, "timeout": 120, "kernel_name": "python3"}
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    nbclient.NotebookClient(notebook, **options).execute(env={**os.environ, "PYTHONPATH": path})
    nbformat.write(notebook, Path(folder) / "executed.ipynb")
    saved = nbformat.read(Path(folder) / "executed.ipynb", as_version=4)
    return [cell.outputs for cell in saved.cells]


def html(output: Any) -> str:
    return str(output.data["text/html"])


def test_networks_trainings_and_reports_show_themselves(outputs: list[list[Any]]) -> None:
    network, _, training, report, own, _ = outputs
    assert Tables(html(network[0])).tables[0][2] == ["Affine1", "(N, 8)", "40"]
    assert Tables(html(training[0])).tables[0][-1][:2] == ["30", "450"]
    assert [row[1] for row in Tables(html(report[0])).tables[0][1:]] == ["passed"] * 8
    assert Tables(html(own[0])).tables[0][1][:2] == ["MyAffine1.W", "FAILED"]


def test_a_training_leaves_one_line(outputs: list[list[Any]]) -> None:
    (output,) = outputs[1]
    line = output.data["text/plain"]
    assert line.startswith("step 450/450  loss ")
    assert html(output) == f"<div>{line}</div>"
    assert "\r" not in line


def test_a_recorder_s_page_is_in_a_frame(outputs: list[list[Any]]) -> None:
    line, page = outputs[5]
    assert line.data["text/plain"].startswith("step 30/30")
    assert 'srcdoc="&lt;!DOCTYPE html' in html(page)
