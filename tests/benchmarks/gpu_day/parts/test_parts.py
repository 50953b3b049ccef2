"""The parts on the backend of the tests, where they are quick."""

from __future__ import annotations

import ctypes
from functools import reduce
from importlib import import_module
from operator import add
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from backends import Backend, get_backend
from backends.cupy.nccl import NcclSum
from backprop import ReLU
from backprop.cli.check_subjects import checkable
from benchmarks.gpu_day.parts import captured, peers
from benchmarks.gpu_day.parts.graphs import nodes
from benchmarks.gpu_day.plan import parts
from benchmarks.gpu_day.reporting import NotHereError, Report, read
from benchmarks.measuring import Setting
from tests.backends.cupy import fake_nccl


def findings(module: str, tmp_path: Path, *arguments: str) -> list[dict[str, Any]]:
    report = Report(tmp_path / "findings", 600.0)
    try:
        import_module(f"benchmarks.gpu_day.parts.{module}").run(report, list(arguments), True)
    finally:
        report.end()
    return read(tmp_path / "findings")[0]


@pytest.mark.parametrize("where", ["cpu", "gpu"])
def test_every_part_has_its_module_and_a_name_of_its_own(where: str) -> None:
    every = parts(where)
    assert len({part.name for part in every}) == len(every)
    assert all("," not in part.name for part in every)
    for part in every:
        assert callable(import_module(part.module).run)


def test_proofs_come_first() -> None:
    proves = [part.proves for part in parts("gpu")[1:]]
    assert proves == sorted(proves, reverse=True)


@pytest.mark.parametrize(("module", "least"), [("captured", 4), ("gradients", 6), ("resume", 3)])
def test_proofs_pass_on_the_cpu(module: str, least: int, tmp_path: Path) -> None:
    found = findings(module, tmp_path, "cpu")
    assert len(found) >= least
    assert all(finding["passed"] for finding in found), found


def test_every_layer_loss_and_optimizer_is_captured() -> None:
    names = {name for name, *_ in captured.cases(quick=False)}
    assert names >= {*checkable(), "SGD", "Adam", "AdamW"} - {"Broadcast", "MatMul"}
    for name, make, optimizer in captured.cases(quick=False):
        difference, why = captured.compared(get_backend("cpu"), make, optimizer)
        assert (difference, why) == (0.0, ""), name


class Draws(ReLU):
    """A layer that cannot be captured: it depends on a value."""

    def forward(self, x: Any, *, training: bool = False) -> Any:
        return super().forward(x if float(x[0, 0]) > 0.0 else x + 1.0, training=training)


def test_a_layer_that_is_not_captured_fails() -> None:
    _, why = captured.compared(get_backend("cpu"), lambda: captured.case_of(Draws), "sgd")
    assert why.startswith("not captured: the step is not captured")


def test_other_numbers_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    def trained(*_: Any, capture: bool) -> Any:
        return {"W1": np.asarray([1.0, 2.0 + 1e-3 * capture]), "b1": np.asarray([1.0 + 1e-7 * capture])}, ""

    monkeypatch.setattr(captured, "trained", trained)
    difference, why = captured.compared(get_backend("cpu"), lambda: captured.case_of(ReLU), "sgd")
    assert difference == pytest.approx(1e-3)
    assert why == "W1 differs by 1.0e-03"


def test_a_backend_without_captures_is_missing(tmp_path: Path) -> None:
    with pytest.raises(NotHereError, match="strict on .* captures nothing"):
        findings("captured", tmp_path, "strict")


@pytest.mark.parametrize("module", ["empty_kernel", "graphs", "nccl"])
def test_cupys_own_parts_say_so(module: str, tmp_path: Path) -> None:
    with pytest.raises(NotHereError, match=r"graphs are CuPy's, and this is numpy"):
        findings(module, tmp_path, "cpu")


def test_peers_beside_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(names: list[str], setting: Setting, *_: Any, **__: Any) -> dict[str, Any]:
        assert (setting.workload, setting.precision, setting.tiny) == ("W1", "float32", True)
        facts = {"first_s": 1.0, "device_mb": 5.0}
        ours = {"us": [10.0, 20.0, 30.0], "loss": 0.30, **facts}
        theirs = {"us": [30.0, 40.0, 50.0], "loss": 0.40, **facts}
        missing = dict.fromkeys(["jax_nn:scan", "ours:fit@jax"], "no JAX")
        return {"results": {"pytorch:eager": theirs, "ours:fit": ours}, "missing": missing}

    monkeypatch.setattr(peers, "measure", measure)
    ours, theirs, missing, losses = findings("peers", tmp_path, "cpu", "W1", "float32")
    assert ours["what"] == "ours:fit"
    assert ours["result"].startswith(
        "20.0 µs a step, PyTorch eager / it 2.00, loss 0.3000, 5 MB on the device"
    )
    assert theirs["what"] == "pytorch:eager"
    assert (missing["what"], missing["result"]) == ("jax_nn:scan, ours:fit@jax", "did not run: no JAX")
    assert losses["passed"] is False  # 0.3 and 0.4 are no rounding
    assert losses["result"] == "to 14.3%"


def test_peers_without_a_contender(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = {"results": {}, "missing": {"ours:fit": "no GPU"}}
    monkeypatch.setattr(peers, "measure", lambda *_, **__: missing)
    with pytest.raises(NotHereError, match="no contender runs here"):
        findings("peers", tmp_path, "cpu", "W1", "float32")
    assert [finding["what"] for finding in read(tmp_path / "findings")[0]] == ["ours:fit"]


def test_nodes_by_kind_from_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = {11: 0, 12: 1, 13: 0, 14: 7}

    def get_nodes(graph: Any, nodes: Any, count: Any) -> int:
        assert graph.value == 99
        if nodes is not None:
            nodes[:] = list(kinds)
        count._obj.value = len(kinds)
        return 0

    def get_type(node: Any, kind: Any) -> int:
        kind._obj.value = kinds[node.value]
        return 0

    driver = SimpleNamespace(cuGraphGetNodes=get_nodes, cuGraphNodeGetType=get_type)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: driver)
    graph = SimpleNamespace(graph=99)
    assert nodes(graph) == {"kernels": 2, "copies": 1, "of kind 7": 1}
    driver.cuGraphNodeGetType = lambda *_: 1
    with pytest.raises(RuntimeError, match="CUDA's driver answers 1"):
        nodes(graph)


@pytest.mark.only("cupy")
def test_nodes_of_a_graph(backend: Backend) -> None:
    import cupy

    x, stream = cupy.ones(8), cupy.cuda.Stream(non_blocking=True)
    np.testing.assert_array_equal(cupy.asnumpy(x + 1.0), 2.0)  # the kernel is compiled and loaded
    with stream:
        stream.begin_capture()
        for _ in range(3):
            x += 1.0
        graph = stream.end_capture()
    assert nodes(graph).total() == 3


@pytest.mark.only("cupy")
def test_an_empty_kernel_has_a_time(backend: Backend, tmp_path: Path) -> None:
    found = findings("empty_kernel", tmp_path, "gpu")
    assert [finding["what"] for finding in found] == [
        "a node of a graph",
        "launching a graph of one node",
        "called from Python",
    ]
    assert all(finding["seconds"] for finding in found)


@pytest.mark.only("cupy")
def test_sums_of_nccl(backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_nccl.provide(monkeypatch)
    assert [finding["passed"] for finding in findings("nccl", tmp_path, "gpu")] == [True, True, True]
    monkeypatch.setattr(NcclSum, "of", lambda _, vectors: reduce(add, vectors[::-1]))
    assert [finding["passed"] for finding in findings("nccl", tmp_path, "gpu")] == [True, False, False]
