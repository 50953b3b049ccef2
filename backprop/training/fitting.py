"""`fit`: a training from its start to its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..networks.network import Network
from ..optimizers.optimizers import Optimizer
from ..saving.checkpoint import Checkpoint
from .arguments import Sampling
from .loop import Progress, Training
from .progress import progress_line
from .validation import BestWeights


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
    validation: float | tuple[Any, Any] | None = None,
    patience: int | None = None,
    verbose: bool | None = None,
) -> Training:
    """Train `network` on x and t; the finished `Training`, with its `history`.

    Loop over a `Training` instead to do something after every epoch. Ctrl-C ends the step first: the
    network is whole, and an interactive session gets the `Training` as far as it went.

    With `validation`, the network ends as it was after `training.best`, the epoch with the lowest loss on
    that data; so it does where an error ends the training. What the last step left is in
    `training.checkpoint()`, with the best weights so far.

    Parameters and errors are those of `Training`, and besides:

    verbose : show a line with steps, loss and accuracy; by default in a terminal and in a notebook

    Source: *Deep Learning from Scratch*, section 5.7.4.

    >>> from backprop import TwoLayerNet, fit
    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((200, 2)).astype("float32")
    >>> t = (x[:, 0] > x[:, 1]).astype("int64")
    >>> network = TwoLayerNet(2, 8, 2, weight_init_std=0.5, rng=0)
    >>> training = fit(network, x, t, epochs=20, batch_size=10, rng=0)
    >>> training.step, training.history[-1].accuracy > 0.97
    (400, True)
    >>> training = fit(network, x, t, epochs=100, batch_size=10, rng=0, validation=0.2, patience=3)
    >>> training.stopped_early, training.history[-1].epoch - training.best.epoch
    (True, 3)
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
        validation=validation,
        patience=patience,
    )
    training.started = True
    training.best_weights = None if validation is None else BestWeights(network)
    if resume is not None:
        training.restore(resume)
    try:
        with progress_line(training.total, shown=verbose) as training.line:
            for _ in training:
                pass
    except BaseException as error:
        if training.best_weights and training.best_weights.kept and training.best:
            training.best_weights.put_back()
            error.add_note(f"the network is set to its best epoch, {training.best.epoch}")
        raise
    training.restore_best()
    return training
