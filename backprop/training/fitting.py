"""`fit`: train a network from start to finish."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import numpy as np

from ..backends import Communicator
from ..networks.network import Network
from ..optimizers import Optimizer
from ..saving.checkpoint import Checkpoint
from .arguments import Sampling
from .best_weights import BestWeights
from .loop import Progress, Training
from .progress import progress_line, say_shards
from .recorder import RunRecorder


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
    shards: int | None = None,
    communicator: Communicator | None = None,
    recorder: RunRecorder | None = None,
    verbose: bool | None = None,
) -> Training:
    """Train `network` on x and t, and return the finished `Training` with its `history`.

    To do something after every epoch, loop over a `Training` instead. Ctrl-C finishes the current step
    first, so the network stays consistent; in an interactive session `fit` then returns the `Training`.

    With `validation` the network ends up as it was after `training.best`, the epoch with the lowest
    validation loss, even if an error ends the training. `training.checkpoint()` holds the state after the
    last step, along with the best weights so far.

    Parameters and errors are those of `Training`, plus:

    recorder : saves the run in a folder, and resumes it from there: `RunRecorder("runs/mine")`
    verbose : show a progress line; by default in a terminal and in a notebook. Several processes also say
        the number of shards if it was not given, unless this is False

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
    if recorder is not None and not isinstance(recorder, RunRecorder):
        raise TypeError(f'expected a RunRecorder, such as RunRecorder("runs/mine"), got {recorder!r:.80}')
    if resume is not None and recorder is not None:
        raise ValueError("give the run to resume to the recorder alone: RunRecorder(…, resume=…)")
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
        shards=shards,
        communicator=communicator,
    )
    training.started = True
    training.best_weights = None if validation is None else BestWeights(network)
    if resume is not None:
        training.restore(resume)
    if shards is None and verbose is not False:
        say_shards(training)
    try:
        with ExitStack() as stack:
            if recorder is not None:
                stack.enter_context(recorder.record(training))
            shown = False if training.communicator.rank else verbose
            if show := stack.enter_context(progress_line(training.total, shown=shown)):
                training.on_progress.append(show)
            for _ in training:
                pass
    except BaseException as error:
        if training.best_weights and training.best_weights.kept and training.best:
            training.best_weights.put_back()
            error.add_note(f"the network was restored to its best epoch, {training.best.epoch}")
        raise
    training.restore_best()
    return training
