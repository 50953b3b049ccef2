"""The same training in one process or in several, with the same weights to the last bit.

    python examples/several_processes.py
    mpiexec -n 4 python examples/several_processes.py

Both print the same digest: every batch is cut into four shards, whoever computes them.
"""

from __future__ import annotations

import hashlib

from backprop import Adam, MultiLayerNet, fit
from backprop.backends import world
from backprop.datasets import load_mnist

(x_train, t_train), test = load_mnist(normalize=False)
network = MultiLayerNet(784, [50, 50], 10, use_batchnorm=True, dropout_ratio=0.2, rng=0)
training = fit(
    network, x_train[:6000], t_train[:6000], optimizer=Adam(0.001), epochs=3, rng=0, test=test, shards=4
)
if world().rank == 0:
    last = training.history[-1]
    digest = hashlib.sha256(network.flat_params["flat"].tobytes()).hexdigest()[:16]
    print(f"{world().size} processes: test accuracy {last.test_accuracy:.4f}, weights {digest}")
