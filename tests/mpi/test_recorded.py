"""The step of several processes is recorded and replayed by all of them, or by none."""

from __future__ import annotations

import pytest

from .launched import run

PROGRAM = """
import hashlib, sys, warnings
import numpy as np
from backends import CaptureWarning, Communicator, world
from backprop import SGD, Adam, Momentum, MultiLayerNet, ReLU, Training

warnings.simplefilter("error")
warnings.simplefilter("always", CaptureWarning)
processes = world()
rng = np.random.default_rng(0)
x, t = rng.standard_normal((210, 4)).astype("float32"), rng.integers(0, 3, 210)

def net(**options):
    return MultiLayerNet(4, [8, 8], 3, use_batchnorm=True, dropout_ratio=0.3, rng=0, **options)

def digest(training):
    network, slots = training.network, training.optimizer.slots
    kinds = network.flat_params, network.flat_grads, network.state, slots
    every = b"".join(arrays[key].tobytes() for arrays in kinds for key in arrays)
    return hashlib.sha256(every).hexdigest()

def trained(network, **options):
    given = {"optimizer": SGD(0.1), "epochs": 3, "batch_size": 20, "rng": 0, "shards": 4}
    training = Training(network, x, t, **{**given, **options})
    losses = [metrics.loss for metrics in training]
    return training._step.capture, digest(training), losses

def everywhere(value):
    found = processes.gather(value)
    assert found == [found[0]] * processes.size, found
    return found[0]
"""


def check(program: str, processes: int = 3) -> str:
    ended = run(processes, PROGRAM + program)
    assert ended.status == 0, ended.err
    return ended.err


@pytest.mark.parametrize("processes", [2, 3])
def test_replays_give_the_bits_of_calls_and_of_one_process(processes: int) -> None:
    said = check(
        """
capture, *recorded = trained(net())
assert not everywhere(capture.why), capture.why
assert list(capture._replays) == [(1, 20)]
called = trained(net(), capture=False)[1:]
alone = trained(net(), communicator=Communicator())[1:]
assert everywhere(recorded) == list(called) == list(alone)
""",
        processes,
    )
    assert not said


@pytest.mark.parametrize("optimizer", ["Adam(0.01)", "Momentum(0.1)", "Adam(0.01, max_norm=0.5)"])
@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_the_whole_state_is_there_wherever_it_can_be_looked_at(optimizer: str, decay: float) -> None:
    check(
        f"""
def run(**options):
    seen = []
    options |= {{"hook": lambda training: seen.append(digest(training)), "hook_steps": 7}}
    found = trained(net(weight_decay_lambda={decay}), optimizer={optimizer}, **options)
    return found[0].why, found[1:], seen

recorded, called, alone = run(), run(capture=False), run(communicator=Communicator())
assert not recorded[0], recorded[0]
assert everywhere(recorded[1:]) == called[1:] == alone[1:]
assert len(recorded[2]) == 4
"""
    )


def test_the_whole_state_is_there_after_a_stop() -> None:
    check(
        """
def stop(progress):
    training.stop()

options = {"optimizer": Adam(0.01), "batch_size": 20, "rng": 0, "shards": 4}
training = Training(net(), x, t, epochs=3, progress_steps=5, **options)
if processes.rank == 0:
    training.on_progress.append(stop)
list(training)
stopped = everywhere((training.step, digest(training)))
assert 5 <= training.step < 10
options["optimizer"] = Adam(0.01)
alone = Training(net(), x, t, iterations=training.step, communicator=Communicator(), **options)
list(alone)
assert stopped == (alone.step, digest(alone))
"""
    )


def test_what_one_process_cannot_record_all_call() -> None:
    said = check(
        """
class Own(ReLU):
    def forward(self, x, *, training=False):
        if processes.rank == 1:
            x.sum()  # a method, which the standard does not have
        return super().forward(x, training=training)

def own():
    network = net()
    layers = dict(network.layers)
    for name, layer in layers.items():
        if type(layer) is ReLU:
            layer.__class__ = Own
    return network

capture, *found = trained(own())
assert "array method .sum" in everywhere(capture.why)
assert everywhere(found) == list(trained(net(), communicator=Communicator())[1:])
"""
    )
    assert said.count("CaptureWarning") == 1


def test_a_replay_that_is_wrong_in_one_process_is_given_up_by_all() -> None:
    said = check(
        """
capture, *right = trained(net())
def spoil(training):
    if training.step == 22 and processes.rank == 2:
        for replay in training._step.capture._replays.values():
            first = training._step.exchange.total.own[:1]  # of the parameters that replays change
            replay._replay._program.append(lambda: np.add(first, 0.001, first))
capture, *found = trained(net(), hook=spoil, hook_steps=11)
assert "different results" in everywhere(capture.why)
assert everywhere(found) == right
"""
    )
    assert said.count("CaptureWarning") == 1


def test_what_changes_in_a_hook_takes_effect_in_all() -> None:
    check(
        """
def change(training):
    if training.step == 12:
        for layer in training.network.layers.values():
            if hasattr(layer, "ratio"):
                layer.ratio = 0.6
            if hasattr(layer, "momentum"):
                layer.momentum = 0.5
capture, *found = trained(net(), hook=change, hook_steps=6)
assert not everywhere(capture.why)
assert everywhere(found) == list(trained(net(), hook=change, hook_steps=6, communicator=Communicator())[1:])
assert found != list(trained(net())[1:])
"""
    )


def test_a_progress_line_in_the_first_process_alone() -> None:
    check(
        """
lines = []
options = {"progress": lines.append} if processes.rank == 0 else {}
capture, *found = trained(net(), progress_steps=5, **options)
assert not everywhere(capture.why)
assert everywhere(found) == list(trained(net(), communicator=Communicator())[1:])
"""
    )
