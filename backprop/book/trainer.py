"""`Trainer`, as in the book's `common/trainer.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..backends import HostArray
from ..lookup import lookup
from .optimizer import SGD, AdaGrad, Adam, Momentum, Nesterov, RMSprop

__all__ = ["SGD", "AdaGrad", "Adam", "Momentum", "Nesterov", "RMSprop", "Trainer", "np"]

OPTIMIZERS: dict[str, Any] = {
    "sgd": SGD,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "adagrad": AdaGrad,
    "rmsprop": RMSprop,
    "adam": Adam,
}
"""The optimizers by the book's names, in any case."""


class Trainer:
    """Train a network, with batches drawn from `np.random`, each sample as often as it comes.

    `backprop.fit` takes every sample once in an epoch, saves and resumes, and runs on a GPU.

    Parameters
    ----------
    network : one of the book's networks, or an object with their `params`, `gradient`, `loss` and `accuracy`
    x_train, t_train, x_test, t_test : samples, and class numbers or one-hot rows
    epochs : how many times as many samples are drawn as there are
    mini_batch_size : how many samples make a batch
    optimizer : `"SGD"`, `"Momentum"`, `"Nesterov"`, `"AdaGrad"`, `"RMSprop"` or `"Adam"`
    optimizer_param : its arguments; by default `{"lr": 0.01}`
    evaluate_sample_num_per_epoch : how many samples the accuracies of an epoch are taken over; all by default
    verbose : print the loss of every step, and the accuracies of every epoch

    After `train()`, `train_loss_list`, `train_acc_list` and `test_acc_list` hold what happened.

    Source: *Deep Learning from Scratch*, chapter 6; `common/trainer.py`.
    """

    def __init__(
        self,
        network: Any,
        x_train: HostArray,
        t_train: HostArray,
        x_test: HostArray,
        t_test: HostArray,
        epochs: int = 20,
        mini_batch_size: int = 100,
        optimizer: str = "SGD",
        optimizer_param: Mapping[str, Any] | None = None,
        evaluate_sample_num_per_epoch: int | None = None,
        verbose: bool = True,
    ) -> None:
        for part, x, t in (("train", x_train, t_train), ("test", x_test, t_test)):
            if len(x) != len(t):
                raise ValueError(
                    f"Trainer: expected as many labels t_{part} as samples, got {len(t)} and {len(x)}"
                )
        self.network, self.verbose = network, verbose
        self.x_train, self.t_train, self.x_test, self.t_test = x_train, t_train, x_test, t_test
        self.epochs, self.batch_size = epochs, mini_batch_size
        self.evaluate_sample_num_per_epoch = evaluate_sample_num_per_epoch
        if not isinstance(optimizer, str):
            raise TypeError(
                f"Trainer: expected the name of an optimizer, such as 'SGD', got {type(optimizer).__name__}; "
                "its arguments go into optimizer_param"
            )
        kind = lookup("optimizer", optimizer, OPTIMIZERS)
        self.optimizer = kind(**({"lr": 0.01} if optimizer_param is None else optimizer_param))
        self.train_size = len(x_train)
        self.iter_per_epoch = max(self.train_size / mini_batch_size, 1)
        self.max_iter = int(epochs * self.iter_per_epoch)
        self.current_iter = self.current_epoch = 0
        self.train_loss_list: list[Any] = []
        self.train_acc_list: list[Any] = []
        self.test_acc_list: list[Any] = []

    def train_step(self) -> None:
        """Take one step; in the first one of an epoch, compute the accuracies after it."""
        batch = np.random.choice(self.train_size, self.batch_size)
        x, t = self.x_train[batch], self.t_train[batch]
        self.optimizer.update(self.network.params, self.network.gradient(x, t))
        loss = self.network.loss(x, t)
        self.train_loss_list.append(loss)
        self._say(f"train loss:{loss}")
        if self.current_iter % self.iter_per_epoch == 0:
            self._evaluate()
        self.current_iter += 1

    def train(self) -> None:
        """Take all steps, and print the accuracy on all of the test data."""
        for _ in range(self.max_iter):
            self.train_step()
        accuracy = self.network.accuracy(self.x_test, self.t_test)
        self._say("=============== Final Test Accuracy ===============")
        self._say(f"test acc:{accuracy}")

    def _evaluate(self) -> None:
        self.current_epoch += 1
        part = slice(self.evaluate_sample_num_per_epoch)
        self.train_acc_list.append(self.network.accuracy(self.x_train[part], self.t_train[part]))
        self.test_acc_list.append(self.network.accuracy(self.x_test[part], self.t_test[part]))
        self._say(
            f"=== epoch:{self.current_epoch}, train acc:{self.train_acc_list[-1]}, "
            f"test acc:{self.test_acc_list[-1]} ==="
        )

    def _say(self, line: str) -> None:
        if self.verbose:
            print(line)  # noqa: T201 - the book's output
