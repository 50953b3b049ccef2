"""Check whether a network fits a data set."""

from __future__ import annotations

import warnings

from ..backends import HostArray
from ..datasets import with_channels
from ..inputs import InputWarning
from ..losses import SoftmaxWithLoss
from ..networks.network import Network


def misfit(network: Network, x: HostArray, t: HostArray) -> str | None:
    """Why the network does not take such samples or lacks an output for a class; None if it fits."""
    sample = network.backend.asarray(with_channels(x[:1], network.input_shape))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InputWarning)  # raised later, for the whole data set
            y = network.predict(sample)
    except ValueError as error:
        return str(error)
    classes = int(t.max()) + 1
    if isinstance(network.last_layer, SoftmaxWithLoss) and y.ndim == 2 and y.shape[1] < classes:
        return f"it has {y.shape[1]} outputs for {classes} classes"
    return None
