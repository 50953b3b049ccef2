"""`fit`: a training from its start to its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .checkpoints import Checkpoint
from .networks import Network
from .optimizers import Optimizer
from .progress import progress_line
from .training import Progress, Sampling, Training


def fit(
    network: Network,
    x: Any,
    t: Any,
    *,
    optimizer: Optimizer | None = None,
    epochs: int | None = None,
    iterations: int | None = None,
    batch_size: int = 100,
    sampling: Sampling = "without-replacement",
    rng: np.random.Generator | int | None = None,
    test: tuple[Any, Any] | None = None,
    progress: Callable[[Progress], None] | None = None,
    progress_steps: int = 50,
    capture: bool = True,
    hook: Callable[[Training], None] | None = None,
    hook_steps: int | None = None,
    resume: Checkpoint | None = None,
    verbose: bool | None = None,
) -> Training:
    """Train `network` on x and t; the finished `Training`, with its `history`.

    Loop over a `Training` instead to do something after every epoch. Ctrl-C ends the step first: the
    network is whole, and an interactive session gets the `Training` as far as it went.

    Parameters
    ----------
    x, t : host arrays, or arrays on the network's device. They go to the device once, as they are;
        uint8 inputs stay uint8 there and are divided by 255 batch by batch.
    optimizer : `SGD(0.1)` by default
    epochs, iterations : how long; give one. An epoch is ⌈N / batch_size⌉ steps.
    batch_size : samples a step; the last batch of an epoch without replacement may be smaller
    sampling : `"without-replacement"` takes every sample once an epoch, in a new order each time;
        `"with-replacement"` draws every batch from all samples, as the book does
    rng : a `numpy.random.Generator` or a seed for the order of the samples, drawn on the host
    test : `(x_test, t_test)` to evaluate on after every epoch
    capture : record the step and replay it where the backend can, which is faster; a step that cannot
        be recorded is called as it is, after a `backends.CaptureWarning` with the cause
    progress : called every `progress_steps` steps; reading the loss then waits for the device
    hook : called with the training every `hook_steps` steps, counted from the first one, for instance to
        save it: `lambda training: write_checkpoint(path, training.checkpoint())`
    resume : a checkpoint of `Training.checkpoint`, to go on from as if nothing had happened; the network
        and the optimizer are set to it, and all else has to be as it was. More steps may be asked for: a
        last epoch that was only a part of one is then completed. Where the result may not be the same to
        the last bit, as with another version of NumPy, a `ResumeWarning` says why
    verbose : show a line with steps, loss and accuracy; by default in a terminal and in a notebook

    Raises `ValueError` for a target out of range or a batch larger than the data, before the
    first step; `CheckpointError` for a checkpoint that does not fit; `DivergenceError` when a loss is no
    longer finite; `BatchTooLargeError` when a step does not fit into the device's memory.

    Source: *Deep Learning from Scratch*, section 5.7.4.

    >>> from backprop import TwoLayerNet, fit
    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((200, 2)).astype("float32")
    >>> t = (x[:, 0] > x[:, 1]).astype("int64")
    >>> network = TwoLayerNet(2, 8, 2, weight_init_std=0.5, rng=0)
    >>> training = fit(network, x, t, epochs=20, batch_size=10, rng=0)
    >>> training.step, training.history[-1].accuracy > 0.97
    (400, True)
    """
    training = Training(
        network,
        x,
        t,
        optimizer=optimizer,
        epochs=epochs,
        iterations=iterations,
        batch_size=batch_size,
        sampling=sampling,
        rng=rng,
        test=test,
        progress=progress,
        progress_steps=progress_steps,
        capture=capture,
        hook=hook,
        hook_steps=hook_steps,
        resume=resume,
    )
    with progress_line(training.total, shown=verbose) as training.line:
        for _ in training:
            pass
    return training
