"""*Deep Learning from Scratch* by the book's names and conventions: its scripts run with other imports.

>>> from backprop.book import MulLayer
>>> MulLayer().forward(100, 2)
200

Each module stands for the file of the same name in the book's repository: for
`from common.layers import *` write `from backprop.book.layers import *`, and for
`from dataset.mnist import load_mnist` write `from backprop.book.mnist import load_mnist`. `backprop.book` has
all their names; its `TwoLayerNet` is that of chapter 5, and that of chapter 4 is in
`backprop.book.ch04_two_layer_net`. As in the book, `import *` from `functions`, `gradient`, `layers`,
`optimizer`, `trainer` and `util` also gives `np`, on which its scripts rely.

Weights, masks and batches are drawn from `np.random` in the book's order: after the same `np.random.seed`, a
script prints what it prints with the book's own code, to the last digit. All is computed with NumPy, in
float64 and in the book's order of operations. For a GPU, for float32, for speed, or to save and resume, use
backprop's own names:

| `backprop.book` | `backprop` |
|---|---|
| `MulLayer`, `AddLayer` | `Mul`, `Add` |
| `Relu`, `Sigmoid`, `Affine`, `Convolution` | `ReLU`, `Sigmoid`, `Affine`, `Convolution` |
| `Pooling`, with a stride of 1 by default | `MaxPooling`, with windows side by side by default |
| `Dropout(dropout_ratio)` | `Dropout(ratio, inverted=False)` |
| `BatchNormalization` | `BatchNormalization`, with one mean for a channel |
| `SoftmaxWithLoss`, with 10⁻⁷ inside the logarithm | `SoftmaxWithLoss`, without |
| `forward(x, train_flg=True)` | `forward(x, training=True)` |
| `layer.dW`, `layer.db` | `layer.grads["W"]`, `layer.grads["b"]` |
| `SGD`, `Momentum`, `Nesterov`, `AdaGrad`, `RMSprop`, `Adam` | the same names |
| `TwoLayerNet`, `MultiLayerNet`, `SimpleConvNet`, `DeepConvNet` | the same names |
| `MultiLayerNetExtend` | `MultiLayerNet(use_batchnorm=True, dropout_ratio=0.5)` |
| `network.lastLayer` | `network.last_layer` |
| `network.save_params`, `network.load_params` | `save_network`, `load_network` |
| `Trainer(network, …).train()` | `fit(network, …)` |
| `numerical_gradient` | `numerical_gradient`, `check_gradients` |
| `load_mnist` | `backprop.datasets.load_mnist` |
"""

from .deep_convnet import DeepConvNet
from .functions import (
    cross_entropy_error,
    identity_function,
    relu,
    relu_grad,
    sigmoid,
    sigmoid_grad,
    softmax,
    softmax_loss,
    step_function,
    sum_squared_error,
)
from .gradient import numerical_gradient, numerical_gradient_2d
from .layer_naive import AddLayer, MulLayer
from .layers import (
    Affine,
    BatchNormalization,
    Convolution,
    Dropout,
    Pooling,
    Relu,
    Sigmoid,
    SoftmaxWithLoss,
)
from .mnist import load_mnist
from .multi_layer_net import MultiLayerNet
from .multi_layer_net_extend import MultiLayerNetExtend
from .optimizer import SGD, AdaGrad, Adam, Momentum, Nesterov, RMSprop
from .pickles import PickleError
from .simple_convnet import SimpleConvNet
from .trainer import Trainer
from .two_layer_net import TwoLayerNet
from .util import col2im, conv_output_size, im2col, shuffle_dataset, smooth_curve

__all__ = [
    "SGD",
    "AdaGrad",
    "Adam",
    "AddLayer",
    "Affine",
    "BatchNormalization",
    "Convolution",
    "DeepConvNet",
    "Dropout",
    "Momentum",
    "MulLayer",
    "MultiLayerNet",
    "MultiLayerNetExtend",
    "Nesterov",
    "PickleError",
    "Pooling",
    "RMSprop",
    "Relu",
    "Sigmoid",
    "SimpleConvNet",
    "SoftmaxWithLoss",
    "Trainer",
    "TwoLayerNet",
    "col2im",
    "conv_output_size",
    "cross_entropy_error",
    "identity_function",
    "im2col",
    "load_mnist",
    "numerical_gradient",
    "numerical_gradient_2d",
    "relu",
    "relu_grad",
    "shuffle_dataset",
    "sigmoid",
    "sigmoid_grad",
    "smooth_curve",
    "softmax",
    "softmax_loss",
    "step_function",
    "sum_squared_error",
]
