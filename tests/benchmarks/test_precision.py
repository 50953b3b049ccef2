from __future__ import annotations

from types import SimpleNamespace

import pytest

from benchmarks.precision import CHOSEN, environment, set_torch

MINE = {"PATH": "/bin", "NVIDIA_TF32_OVERRIDE": "1", "CUPY_TF32": "1"}


def test_float32_forbids_tf32_to_all() -> None:
    variables = environment("float32", MINE)
    assert variables == {
        "PATH": "/bin",
        "BENCHMARK_PRECISION": "float32",
        "CUPY_TF32": "0",
        "JAX_DEFAULT_MATMUL_PRECISION": "float32",
        "NVIDIA_TF32_OVERRIDE": "0",
    }


def test_tf32_is_everybodys() -> None:
    variables = environment("tf32", MINE | {"CUPY_TF32": "0"})
    assert variables == {
        "PATH": "/bin",
        "BENCHMARK_PRECISION": "tf32",
        "CUPY_TF32": "1",
        "JAX_DEFAULT_MATMUL_PRECISION": "tensorfloat32",
    }


@pytest.mark.parametrize(
    ("precision", "expected"), [("float32", ("highest", False)), ("tf32", ("high", True))]
)
def test_pytorch_is_told(precision: str, expected: tuple[str, bool], monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    cudnn = SimpleNamespace(allow_tf32=None)
    torch = SimpleNamespace(set_float32_matmul_precision=told.append, backends=SimpleNamespace(cudnn=cudnn))
    monkeypatch.delenv(CHOSEN, raising=False)
    set_torch(torch)  # on the CPU
    assert (told, cudnn.allow_tf32) == ([], None)
    monkeypatch.setenv(CHOSEN, precision)
    set_torch(torch)
    assert (told[0], cudnn.allow_tf32) == expected
