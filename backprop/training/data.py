"""The data of a training: the samples to learn from and those held out, on the network's device."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from ..backends import Array, dtype_name, get_backend
from ..datasets.split import split, warn_of_scarce_classes
from ..inputs import Inputs, Mapped, as_numbers, check_finite, is_mapped, parts
from ..networks import Network
from ..networks.border import warn_of_precision
from ..networks.checks import check_same_length


class TrainingData:
    """Samples and targets on the network's device, validated, and scaled as the network scales its inputs.

    Parameters
    ----------
    x, t : samples and targets, host arrays or arrays of the network's device. Memory-mapped ones stay so on
        the host's own backend (`Mapped`); whole numbers as targets are kept in memory
    validation : `(x, t)`, or the share of the samples to hold out, drawn by `rng`
    test : `(x, t)`
    """

    def __init__(
        self,
        network: Network,
        x: Any,
        t: Any,
        validation: float | tuple[Any, Any] | None,
        test: tuple[Any, Any] | None,
        rng: np.random.Generator,
    ) -> None:
        self.network = network
        x, t = _on_device(network, x, t, "x", "t")
        self.held_out: dict[str, tuple[Array, Array]] = {}
        """Data to evaluate on after every epoch: `"validation"` and `"test"`."""
        self.validation_digest: str | None = None
        """The SHA-256 of the validation data."""
        if isinstance(validation, float | np.floating):
            x, t = self._hold_out(x, t, float(validation), rng)
        elif validation is not None:
            names = "the validation data's x", "their t"
            self.held_out["validation"] = _on_device(network, *validation, *names)
        if "validation" in self.held_out:
            self.validation_digest = _digest(network, *self.held_out["validation"])
        if test is not None:
            self.held_out["test"] = _on_device(network, *test, "the test data's x", "their t")
        self.train = {"x": x, "t": t}
        """The samples to learn from, `"x"`, and their targets, `"t"`."""
        self._unscaled: dict[str, Array] | None = {"x": x, **{k: x for k, (x, _) in self.held_out.items()}}

    def __len__(self) -> int:
        return int(self.train["x"].shape[0])

    def scale(self) -> None:
        """Scale all samples like the network's inputs or, for its first training, as these data suggest."""
        first = self.network.inputs is None
        self._scale_as(self.network.inputs or Inputs.of(self.train["x"]), first=first)

    def _scale_as(self, inputs: Inputs | None, *, first: bool) -> None:
        """Scale all samples as `inputs` describes; None, from an old checkpoint, leaves them as they are."""
        assert self._unscaled is not None
        self._inputs = inputs
        unscaled = dict(self._unscaled)
        if inputs is not None:
            x, dtype = unscaled.pop("x"), self.network.dtype
            unscaled = {name: self._as_known(its, inputs) for name, its in unscaled.items()}
            unscaled["x"] = inputs.of_training(x, dtype) if first else self._as_known(x, inputs)
        self.train["x"] = unscaled.pop("x")
        self.held_out = {name: (its, self.held_out[name][1]) for name, its in unscaled.items()}

    def _as_known(self, x: Array, inputs: Inputs) -> Array:
        return inputs.of_prediction(self.network.laid_out(x, inputs.shape), self.network.dtype)

    def follow_network(self) -> None:
        """Scale all samples like the network's inputs, which a checkpoint may just have changed."""
        if self._unscaled is not None and self.network.inputs != self._inputs:
            self._scale_as(self.network.inputs, first=False)

    def set_inputs(self) -> None:
        """Make the network scale its inputs like these data from now on."""
        if self._unscaled is not None:
            self.network.inputs, self._unscaled = self._inputs, None

    def _hold_out(self, x: Any, t: Any, share: float, rng: np.random.Generator) -> tuple[Array, Array]:
        """Return the samples to learn from; the others become the validation data."""
        network = self.network
        backend, counts = network.backend, network.last_layer.counts_correct
        labels: Any = t if isinstance(t, Mapped) else backend.to_numpy(t)
        if counts and labels.ndim == 2:
            labels = np.concatenate([part.argmax(axis=1) for _, part in parts(labels)])
        of_classes = counts and labels.ndim == 1
        left, held = split(labels, share, rng, by_class=of_classes)
        if of_classes:
            warn_of_scarce_classes(labels[left], labels[held])

        def taken(array: Any, samples: np.ndarray) -> Any:
            if isinstance(array, Mapped):
                return array.only(samples)
            return backend.xp.take(array, backend.asarray(samples), axis=0)

        self.held_out["validation"] = taken(x, held), taken(t, held)
        return taken(x, left), taken(t, left)


def _on_device(network: Network, x: Any, t: Any, x_name: str, t_name: str) -> tuple[Array, Array]:
    """x and t on the network's device; raises unless they are finite and t suits the network."""
    check_same_length(x, t)
    backend = network.backend
    stays_mapped = backend is get_backend("cpu")
    try:
        if isinstance(x, Mapped) and not stays_mapped:
            x = np.asarray(x)
        if _is_on_host(x):
            x = as_numbers(x_name, x)
        if stays_mapped and is_mapped(x):
            x = Mapped(x)
        elif _is_on_host(x):
            narrower = _narrower(network, x)
            if narrower:
                warn_of_precision(network, "float64")
            x = backend.asarray(x, dtype=narrower)
        if _is_on_host(t):
            t = backend.asarray(t, dtype=_narrower(network, t))
    except Exception as error:
        if not backend.is_out_of_memory(error):
            raise
        free = backend.free_memory
        known = "" if free is None else f", {free / 1e6:,.0f} MB are free"
        raise MemoryError(
            f"out of memory on {backend.device}: the data need {(x.nbytes + t.nbytes) / 1e6:,.0f} MB{known}; "
            "give fewer samples, or images as uint8, a quarter of float32"
        ) from None
    if not isinstance(x, Mapped):
        network.check_owned(x, "training data")
        x = backend.detached(x)
    network.check_owned(t, "target")
    t = network.as_target_for(x, t)
    if stays_mapped and is_mapped(t):
        t = Mapped(t)
    x = network.laid_out(x, network.inputs.shape if network.inputs else network.input_shape)
    check_finite(x_name, x)
    check_finite(t_name, t)
    return x, t


def _narrower(network: Network, host: Any) -> str | None:
    """The network's dtype for the host's float64 where its device lacks that; None to keep the dtype."""
    if network.backend.has_float64 or dtype_name(host.dtype) != "float64":
        return None
    return network.dtype


def _is_on_host(array: Array) -> bool:
    return bool(get_backend("cpu").owns(array))


def _digest(network: Network, x: Any, t: Any) -> str:
    """The SHA-256 of samples and targets."""
    found = hashlib.sha256()
    for array in (x, t):
        host = array if isinstance(array, Mapped) else network.backend.to_numpy(array)
        found.update(f"{host.dtype.str}{host.shape}".encode())
        for _, part in parts(host):
            found.update(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data)
    return found.hexdigest()
