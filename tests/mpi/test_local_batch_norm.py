"""Batch normalization over each shard by itself gives the bits of one process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .launched import run

PROGRAM = """
import hashlib, json, sys, warnings
import numpy as np
from backends import world
from backprop import Adam, Affine, BatchNormalization, MultiLayerNet, Network, ReLU, Residual, Training
from backprop.saving import read_checkpoint, write_checkpoint

warnings.simplefilter("error")
processes = world()
rng = np.random.default_rng(0)
x, t = rng.standard_normal((210, 4)).astype("float32"), rng.integers(0, 3, 210)


def mlp(kind="local"):
    return MultiLayerNet(4, [8, 6], 3, use_batchnorm=kind, dropout_ratio=0.3, rng=0)


def residual():
    rng = np.random.default_rng(0)

    def normal(*shape):
        return rng.standard_normal(shape).astype("float32")

    def norm():
        return BatchNormalization(normal(4), normal(4), synchronized=False)

    return Network([norm(), Residual([norm(), ReLU(), Affine(normal(4, 4), normal(4))]), Affine(normal(4, 3), normal(3))])


def trained(network, **options):
    given = {"optimizer": Adam(0.01), "epochs": 3, "batch_size": 22, "rng": 0, "shards": 6}
    training = Training(network, x, t, **{**given, **options})
    losses = [metrics.loss for metrics in training]
    every = (*network.params.values(), *network.state.values())
    assert training._step.capture.why in ("", None, "not asked for"), training._step.capture.why
    return [hashlib.sha256(b"".join(a.tobytes() for a in every)).hexdigest(), losses], training


def everywhere(value):
    found = processes.gather(value)
    assert found == [found[0]] * processes.size, found
    if processes.rank == 0:
        print(json.dumps(found[0]))
"""


def in_processes(count: int, program: str, *arguments: str) -> Any:
    ended = run(count, PROGRAM + program, *arguments)
    assert ended.status == 0, ended.err
    return json.loads(ended.out.splitlines()[-1])


BITS = """
found = [trained(make(), capture=capture)[0] for make in (mlp, residual) for capture in (True, False)]
assert found[0] == found[1] and found[2] == found[3]
assert found[0] != trained(mlp(True))[0]
everywhere(found)
"""


def test_the_bits_do_not_depend_on_the_number_of_processes() -> None:
    """Shards of 3 and 4 samples, a last batch of 12, recorded and called."""
    alone = in_processes(1, BITS)
    assert in_processes(2, BITS) == alone
    assert in_processes(3, BITS) == alone


RESUMED = """
path, epochs, resume = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "resume"
warnings.simplefilter("ignore")
found, training = trained(mlp(), epochs=epochs, resume=read_checkpoint(path) if resume else None)
processes.barrier()
if processes.rank == 0:
    write_checkpoint(path, training.checkpoint())
everywhere(found[0])
"""


def test_a_training_resumed_in_other_processes_is_the_uninterrupted_one(tmp_path: Path) -> None:
    whole = in_processes(1, RESUMED, str(tmp_path / "whole"), "4", "new")
    in_processes(2, RESUMED, str(tmp_path / "parts"), "2", "new")
    assert in_processes(3, RESUMED, str(tmp_path / "parts"), "4", "resume") == whole
