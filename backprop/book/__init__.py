"""*Deep Learning from Scratch* by the book's names and conventions: its scripts run with other imports.

>>> from backprop.book import MulLayer
>>> MulLayer().forward(100, 2)
200

Each module stands for the file of the same name in the book's repository: for
`from common.layers import *` write `from backprop.book.layers import *`, and for
`from dataset.mnist import load_mnist` write `from backprop.book.mnist import load_mnist`. `backprop.book` has
all names; its `TwoLayerNet` is that of chapter 5, and that of chapter 4 is in
`backprop.book.ch04_two_layer_net`. (`import *` from a module also gives `np` and what the book's file of that
name imports, since its scripts use them.)

Weights, masks and batches are drawn from `np.random` in the book's order, so that after the same
`np.random.seed` a script prints what the book's own code prints, to the last digit. That takes NumPy, float64
and the book's order of operations. For a GPU, for float32, for speed, or to save and resume, use backprop's
own names:

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

from ..lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "deep_convnet": ("DeepConvNet",),
        "functions": (
            "cross_entropy_error",
            "identity_function",
            "relu",
            "relu_grad",
            "sigmoid",
            "sigmoid_grad",
            "softmax",
            "softmax_loss",
            "step_function",
            "sum_squared_error",
        ),
        "gradient": ("numerical_gradient", "numerical_gradient_2d"),
        "layer_naive": ("AddLayer", "MulLayer"),
        "layers": (
            "Affine",
            "BatchNormalization",
            "Convolution",
            "Dropout",
            "Pooling",
            "Relu",
            "Sigmoid",
            "SoftmaxWithLoss",
        ),
        "mnist": ("load_mnist",),
        "multi_layer_net": ("MultiLayerNet",),
        "multi_layer_net_extend": ("MultiLayerNetExtend",),
        "optimizer": ("SGD", "AdaGrad", "Adam", "Momentum", "Nesterov", "RMSprop"),
        "pickles": ("PickleError",),
        "simple_convnet": ("SimpleConvNet",),
        "trainer": ("Trainer",),
        "two_layer_net": ("TwoLayerNet",),
        "util": ("col2im", "conv_output_size", "im2col", "shuffle_dataset", "smooth_curve"),
    },
    globals(),
)
