"""Arrays and devices: which library computes, and where.

A backend is an array library on one device. Everything above this package is written once
against the Python array API standard (2024.12) and asks here for two things only: the namespace
of an array it was given (`namespace_of`), or a backend by name (`get_backend`).

>>> from backprop import backends
>>> backends.get_backend("cpu")
<backend numpy on cpu>

The package is `backprop.backends`, which this folder is loaded as; `import backends` gives the same one.
"""

if __name__ == "backends":
    from .alias import give_backprop_backends

    give_backprop_backends()

from .array import Array, DType, HostArray, Namespace, dtype_name
from .assignment import add_at, copy_of, set_at
from .base import Backend, Replay
from .communicator import Communicator, OrderedSum
from .devices import BackendStatus, available_backends, get_backend
from .dispatch import backend_of, device_of, is_registered, namespace_of, on_one_device
from .errors import BackendUnavailableError, CaptureError, CaptureWarning, MPIError, UnknownDeviceError
from .fusion import fused, without_aliases
from .inplace import InPlaceDict
from .launch import world
from .numpy.blas import THREAD_VARIABLES
from .registry import backend_names, register_backend
from .watch import TIMEOUT_VARIABLE

__all__ = [
    "THREAD_VARIABLES",
    "TIMEOUT_VARIABLE",
    "Array",
    "Backend",
    "BackendStatus",
    "BackendUnavailableError",
    "CaptureError",
    "CaptureWarning",
    "Communicator",
    "DType",
    "HostArray",
    "InPlaceDict",
    "MPIError",
    "Namespace",
    "OrderedSum",
    "Replay",
    "UnknownDeviceError",
    "add_at",
    "available_backends",
    "backend_names",
    "backend_of",
    "copy_of",
    "device_of",
    "dtype_name",
    "fused",
    "get_backend",
    "is_registered",
    "namespace_of",
    "on_one_device",
    "register_backend",
    "set_at",
    "without_aliases",
    "world",
]
