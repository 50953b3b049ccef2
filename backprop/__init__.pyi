from . import backends as backends
from .gradcheck import (
    GradientReport as GradientReport,
)
from .gradcheck import (
    check_gradients as check_gradients,
)
from .layers import (
    GELU as GELU,
)
from .layers import (
    Add as Add,
)
from .layers import (
    Affine as Affine,
)
from .layers import (
    AveragePooling as AveragePooling,
)
from .layers import (
    BatchNormalization as BatchNormalization,
)
from .layers import (
    Convolution as Convolution,
)
from .layers import (
    ConvolutionReLUPooling as ConvolutionReLUPooling,
)
from .layers import (
    Dropout as Dropout,
)
from .layers import (
    Flatten as Flatten,
)
from .layers import (
    Identity as Identity,
)
from .layers import (
    Layer as Layer,
)
from .layers import (
    LayerNormalization as LayerNormalization,
)
from .layers import (
    LeakyReLU as LeakyReLU,
)
from .layers import (
    MaxPooling as MaxPooling,
)
from .layers import (
    Mul as Mul,
)
from .layers import (
    Pooling as Pooling,
)
from .layers import (
    ReLU as ReLU,
)
from .layers import (
    Relu as Relu,
)
from .layers import (
    Reshape as Reshape,
)
from .layers import (
    Residual as Residual,
)
from .layers import (
    Sigmoid as Sigmoid,
)
from .layers import (
    Softmax as Softmax,
)
from .layers import (
    Tanh as Tanh,
)
from .losses import (
    Loss as Loss,
)
from .losses import (
    MeanSquaredError as MeanSquaredError,
)
from .losses import (
    SigmoidWithLoss as SigmoidWithLoss,
)
from .losses import (
    SoftmaxWithLoss as SoftmaxWithLoss,
)
from .networks import (
    DeepConvNet as DeepConvNet,
)
from .networks import (
    MultiLayerNet as MultiLayerNet,
)
from .networks import (
    Network as Network,
)
from .networks import (
    SimpleConvNet as SimpleConvNet,
)
from .networks import (
    TwoLayerNet as TwoLayerNet,
)
from .numerical import (
    numerical_gradient as numerical_gradient,
)
from .optimizers import (
    SGD as SGD,
)
from .optimizers import (
    AdaGrad as AdaGrad,
)
from .optimizers import (
    Adam as Adam,
)
from .optimizers import (
    AdamW as AdamW,
)
from .optimizers import (
    Momentum as Momentum,
)
from .optimizers import (
    Nesterov as Nesterov,
)
from .optimizers import (
    Optimizer as Optimizer,
)
from .optimizers import (
    RMSprop as RMSprop,
)
from .saving import (
    load_network as load_network,
)
from .saving import (
    save_network as save_network,
)
from .training import (
    BatchTooLargeError as BatchTooLargeError,
)
from .training import (
    DivergenceError as DivergenceError,
)
from .training import (
    Metrics as Metrics,
)
from .training import (
    Progress as Progress,
)
from .training import (
    RunRecorder as RunRecorder,
)
from .training import (
    Training as Training,
)
from .training import (
    fit as fit,
)

__version__: str
from .graphs import (
    Graph as Graph,
)
from .graphs import (
    Variable as Variable,
)
from .layers import (
    Broadcast as Broadcast,
)
from .layers import (
    Cos as Cos,
)
from .layers import (
    Div as Div,
)
from .layers import (
    Exp as Exp,
)
from .layers import (
    Log as Log,
)
from .layers import (
    MatMul as MatMul,
)
from .layers import (
    Max as Max,
)
from .layers import (
    Mean as Mean,
)
from .layers import (
    Neg as Neg,
)
from .layers import (
    Pow as Pow,
)
from .layers import (
    Power as Power,
)
from .layers import (
    Sin as Sin,
)
from .layers import (
    Sqrt as Sqrt,
)
from .layers import (
    Sub as Sub,
)
from .layers import (
    Sum as Sum,
)
