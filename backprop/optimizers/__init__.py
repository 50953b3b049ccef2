"""Optimizers: how the gradient changes the parameters.

`fit(…, optimizer=Adam())` trains with one. A loop of your own calls `optimizer.update(params, grads)` after
every batch, with a network's `params` and `gradient`, as in the book, or its `flat_params` and
`flat_grads`, where all parameters are one vector.
"""

from .adagrad import AdaGrad
from .adam import Adam, AdamW
from .base import Optimizer, Schedule
from .momentum import Momentum, Nesterov
from .rmsprop import RMSprop
from .sgd import SGD

OPTIMIZERS: dict[str, type[Optimizer]] = {
    kind.__name__.lower(): kind for kind in (SGD, Momentum, Nesterov, AdaGrad, RMSprop, Adam, AdamW)
}
"""Every optimizer by its name in lower case."""

__all__ = [
    "OPTIMIZERS",
    "SGD",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Momentum",
    "Nesterov",
    "Optimizer",
    "RMSprop",
    "Schedule",
]
