"""Losses: the last layer of a network, a function of the network's output x and the target t.

The value is a 0-d array on the device of x, the mean over the batch of N samples, and
`backward(dout)` scales with `dout`: a Python number, or a 0-d array like the value. For float16 the
computation is in float32.
"""

from .loss import Loss
from .mean_squared_error import MeanSquaredError
from .sigmoid_with_loss import SigmoidWithLoss
from .softmax_with_loss import SoftmaxWithLoss

__all__ = ["Loss", "MeanSquaredError", "SigmoidWithLoss", "SoftmaxWithLoss"]
