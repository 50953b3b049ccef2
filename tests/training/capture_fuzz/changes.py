"""What users change in a hook or between two epochs: functions of what is `here`, and of the count of calls.

It acts on whatever the network has; `needs` puts a layer or an optimizer there on which it has an effect.
"""

from __future__ import annotations

import contextlib
import copy
import io
import pickle
import tempfile
import types
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from backprop import SGD, LeakyReLU, Network, Training
from backprop.layers import ReLU
from backprop.optimizers import Optimizer
from backprop.saving.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from backprop.saving.network import load_network, network_arrays, restore_network, save_network

from .habits import other


@dataclass
class Here:
    """What a hook has at hand."""

    training: Any
    data: tuple[np.ndarray, np.ndarray]
    capture: bool
    kept: dict[str, Any] = field(default_factory=dict)
    """What a change keeps for its next call."""

    @property
    def network(self) -> Network:
        return self.training.network

    @property
    def optimizer(self) -> Optimizer:
        return self.training.optimizer


def change(**marks):
    return other("change", **marks)


def layers_with(here, attribute):
    """The layers of the network, and in its blocks, that have it."""
    found = []
    for layer in here.network.layers.values():
        found += [part for part in [layer, *getattr(layer, "layers", {}).values()] if attribute in vars(part)]
    return found


def first_weight(here):
    return next(name for name in here.network.params if name.startswith("W"))


def slots(here):
    return getattr(here.optimizer, "slots", {})


# Attributes.


@change()
def learning_rate(here, i):
    """Halves the learning rate."""
    if not callable(here.optimizer.lr):
        here.optimizer.lr *= 0.5


@change()
def learning_rate_to_a_schedule(here, i):
    """Replaces the learning rate by a function."""
    if not callable(here.optimizer.lr):
        here.optimizer.lr = lambda step, lr=here.optimizer.lr: lr / (1.0 + 0.1 * step)


@change()
def learning_rate_to_zero(here, i):
    """Stops learning for a while."""
    here.optimizer.lr = 0.0 if i % 2 == 0 else 0.05


@change()
def max_norm(here, i):
    """Begins and ends clipping."""
    here.optimizer.max_norm = None if i % 2 else 0.1


@change(needs=("Momentum",))
def momentum(here, i):
    """Another momentum."""
    here.optimizer.momentum = 0.5 if i % 2 == 0 else 0.95


@change(needs=("Adam",))
def betas(here, i):
    """Another β₁ and ε."""
    here.optimizer.beta1, here.optimizer.epsilon = 0.5, 1e-3


@change(needs=("RMSprop",))
def decay_rate(here, i):
    """Another ρ."""
    here.optimizer.decay_rate = 0.5


@change(needs=("AdamW",))
def weight_decay_of_the_optimizer(here, i):
    """Another λ of AdamW."""
    here.optimizer.weight_decay = 0.5 if i % 2 == 0 else 0.0


@change()
def steps_of_the_optimizer(here, i):
    """Sets the count of steps back."""
    here.optimizer.steps = 0


@change()
def weight_decay(here, i):
    """Another weight decay."""
    here.network.weight_decay = 0.2 / (i + 1)


@change()
def weight_decay_on_and_off(here, i):
    """Weight decay, now and then."""
    here.network.weight_decay = 0.1 if i % 2 == 0 else 0.0


@change(needs=("Dropout",))
def dropout_ratio(here, i):
    """Another ratio of the dropout."""
    for layer in layers_with(here, "ratio"):
        layer.ratio = min(0.8, layer.ratio + 0.2)


@change(needs=("Dropout",))
def dropout_off_and_on(here, i):
    """No dropout, and again some."""
    for layer in layers_with(here, "ratio"):
        layer.ratio = 0.0 if i % 2 == 0 else 0.5


@change(needs=("Dropout",))
def dropout_seed(here, i):
    """Another seed, and the cache cleared for it."""
    for layer in layers_with(here, "seed"):
        layer.seed += 1
        layer.constants.clear()


@change(needs=("Dropout",))
def dropout_not_inverted(here, i):
    """The book's dropout instead."""
    for layer in layers_with(here, "inverted"):
        layer.inverted = not layer.inverted


@change(needs=("BatchNormalization",))
def momentum_of_the_statistics(here, i):
    """Another momentum of the running statistics."""
    for layer in layers_with(here, "epsilon"):
        layer.momentum = 0.5


@change(needs=("LayerNormalization",))
def epsilon_of_the_normalization(here, i):
    """Another ε."""
    for layer in layers_with(here, "epsilon"):
        layer.epsilon *= 10.0


@change(needs=("LeakyReLU",))
def slope(here, i):
    """Another slope."""
    for layer in layers_with(here, "slope"):
        layer.slope = 0.3 + 0.1 * (i % 3)


@change(needs=("layer.scaled_by_an_array",))
def array_in_place(here, i):
    """An array of a layer, changed in place."""
    for layer in layers_with(here, "scale"):
        layer.scale[i % len(layer.scale)] = 0.0


@change(needs=("layer.scaled_by_an_array",))
def array_replaced(here, i):
    """An array of a layer, replaced."""
    for layer in layers_with(here, "scale"):
        layer.scale = layer.scale * 0.5


@change(needs=("layer.scaled_by_an_object",))
def attribute_of_an_attribute(here, i):
    """A number in an object of a layer."""
    for layer in layers_with(here, "cfg"):
        layer.cfg.factor *= 0.5


@change(needs=("layer.scaled_by_an_object",))
def object_replaced(here, i):
    """An object of a layer, replaced."""
    for layer in layers_with(here, "cfg"):
        layer.cfg = types.SimpleNamespace(factor=0.25, more=[0.5])


@change(needs=("layer.scaled_by_an_object",))
def list_in_an_object(here, i):
    """A list in an object of a layer."""
    for layer in layers_with(here, "cfg"):
        layer.cfg.more.append(0.9)


@change(needs=("layer.scaled_by_its_class",), shared=True)
def attribute_of_a_class(here, i):
    """An attribute of a layer's class."""
    for layer in layers_with(here, "k"):
        if hasattr(type(layer), "factor"):
            type(layer).factor *= 0.5


@change(needs=("layer.scaled_by_a_function",))
def function_of_a_layer(here, i):
    """A function that a layer has."""
    for layer in layers_with(here, "f"):
        layer.f = (lambda x: x * 0.5) if i % 2 == 0 else (lambda x: x * 0.7)


@change(needs=("layer.scaled_by_an_array",))
def scale_of_a_layer_to_a_number(here, i):
    """A number where an array was."""
    for layer in layers_with(here, "scale"):
        layer.scale = 0.5


@change()
def method_of_a_layer(here, i):
    """Replaces a layer's `forward` by another."""
    layer = next(iter(here.network.layers.values()))
    forward = type(layer).forward
    layer.forward = types.MethodType(
        lambda self, x, *, training=False: forward(self, x, training=training) * 0.9, layer
    )


@change(needs=("ReLU",))
def layer_replaced(here, i):
    """Puts another layer in the place of a ReLU."""
    for name, layer in here.network.layers.items():
        if type(layer) is ReLU:
            here.network.layers[name] = LeakyReLU(0.2)
            break


@change(needs=("ReLU",))
def layer_taken_out(here, i):
    """Takes a ReLU out of the network."""
    for name, layer in here.network.layers.items():
        if type(layer) is ReLU:
            del here.network.layers[name]
            break


@change(needs=("ReLU",))
def class_of_a_layer(here, i):
    """Makes a ReLU a layer of another class."""
    for layer in here.network.layers.values():
        if type(layer) is ReLU:
            layer.slope = 0.3
            layer.__class__ = LeakyReLU
            break


@change()
def loss_replaced(here, i):
    """Another loss of the same class."""
    here.network.last_layer = copy.copy(here.network.last_layer)


# Parameters, state and slots.


@change()
def parameters_scaled(here, i):
    """`params[name] *= 0.9`."""
    here.network.params[first_weight(here)] *= 0.9


@change()
def parameters_set(here, i):
    """`params[name] = …`."""
    name = first_weight(here)
    here.network.params[name] = here.network.params[name] * 0.9


@change()
def parameters_written_into(here, i):
    """`params[name][…] = …`."""
    W = here.network.params[first_weight(here)]
    W[...] = np.clip(W, -0.3, 0.3)


@change()
def parameters_set_whole(here, i):
    """`network.params = {…}`: works or raises."""
    here.network.params = {name: p * 0.9 for name, p in here.network.params.items()}


@change()
def parameters_loaded(here, i):
    """`load_params`."""
    here.network.load_params({name: 0.9 * p for name, p in here.network.params.items()})


@change()
def parameters_of_a_layer(here, i):
    """`layer.params[key] = …`."""
    layer = next(layer for layer in here.network.layers.values() if "W" in layer.params)
    layer.params["W"] = layer.params["W"] * 0.9


@change()
def parameters_of_a_layer_set_whole(here, i):
    """`layer.params = {…}`."""
    layer = next(layer for layer in here.network.layers.values() if "W" in layer.params)
    layer.params = {key: p * 0.9 for key, p in layer.params.items()}


@change()
def parameter_as_an_attribute(here, i):
    """`layer.W = …`: works or raises."""
    layer = next(layer for layer in here.network.layers.values() if "W" in layer.params)
    layer.W = layer.params["W"] * 0.9


@change()
def flat_parameters(here, i):
    """`flat_params["flat"] *= …`."""
    here.network.flat_params["flat"] *= 0.95


@change()
def flat_parameters_set(here, i):
    """`flat_params["flat"] = …`."""
    here.network.flat_params["flat"] = here.network.flat_params["flat"] * 0.95


@change()
def dead_weights_begun_anew(here, i):
    """New weights for one unit, from a seed."""
    W = here.network.params[first_weight(here)]
    W[0] = np.random.default_rng(i).standard_normal(W[0].shape) * 0.1


@change(needs=("BatchNormalization",))
def state_set(here, i):
    """`state[name] = zeros`."""
    for name, value in here.network.state.items():
        here.network.state[name] = np.zeros_like(value)


@change(needs=("Dropout",))
def state_written_into(here, i):
    """`state[name][…] = 0`: dropout's masks from the beginning."""
    for value in here.network.state.values():
        value[...] = 0


@change(needs=("BatchNormalization",))
def state_of_a_layer(here, i):
    """`layer.state[key] = …`."""
    for layer in here.network.layers.values():
        for key, value in layer.state.items():
            layer.state[key] = value * 0


@change(needs=("BatchNormalization",))
def state_of_a_layer_set_whole(here, i):
    """`layer.state = {…}`."""
    for layer in here.network.layers.values():
        layer.state = {key: value * 0 for key, value in layer.state.items()}


@change(needs=("BatchNormalization",))
def state_as_an_attribute(here, i):
    """`layer.running_mean = …`: works or raises."""
    for layer in layers_with(here, "momentum"):
        layer.running_mean = np.zeros_like(layer.params["gamma"])


@change(needs=("Momentum",))
def slots_reset(here, i):
    """`slots[key] = zeros`."""
    for key, value in slots(here).items():
        here.optimizer.slots[key] = np.zeros_like(value)


@change(needs=("Adam",))
def slots_written_into(here, i):
    """`slots[key][…] = 0`."""
    for value in slots(here).values():
        value[...] = 0.0


@change(needs=("Adam",))
def slots_scaled(here, i):
    """`slots[key] *= 0.5`."""
    for key in slots(here):
        here.optimizer.slots[key] *= 0.5


@change(needs=("Momentum",))
def slots_set_whole(here, i):
    """`optimizer.slots = {…}`."""
    here.optimizer.slots = {key: np.zeros_like(value) for key, value in slots(here).items()}


@change(needs=("Momentum",))
def slots_cleared(here, i):
    """`optimizer.slots.clear()`."""
    slots(here).clear()


@change(needs=("Momentum",))
def slots_deleted(here, i):
    """Deletes the attribute behind `optimizer.slots`."""
    vars(here.optimizer).pop("_slots", None)


@change(needs=("Dropout",))
def caches_cleared(here, i):
    """Clears the layers' caches."""
    for layer in [*here.network.layers.values(), here.network.last_layer]:
        layer.constants.clear()


@change()
def gradients_zeroed(here, i):
    """Sets all gradients to zero, which the next step computes anyway."""
    here.network.flat_grads["flat"][...] = 0.0


@change()
def what_is_saved_forgotten(here, i):
    """`layer.saved = None`."""
    for layer in here.network.layers.values():
        layer.saved = None


# Copies and checkpoints.


@change()
def pickled(here, i):
    """Pickles the network and the optimizer."""
    pickle.dumps((here.network, here.optimizer))


@change()
def pickled_and_back(here, i):
    """Pickles the network, and takes the parameters back from the copy."""
    clone = pickle.loads(pickle.dumps(here.network))
    here.network.load_params(dict(clone.params))


@change()
def pickled_to_a_file(here, i):
    """`pickle.dump` into a file object."""
    pickle.Pickler(io.BytesIO(), protocol=5).dump(here.network)


@change()
def deep_copy(here, i):
    """A deep copy of network and optimizer, which is then trained a step."""
    network, optimizer = copy.deepcopy((here.network, here.optimizer))
    network.params[next(iter(network.params))] *= 0.0
    optimizer.lr = 0.0


@change()
def shallow_copy(here, i):
    """`copy.copy` of every layer."""
    for layer in here.network.layers.values():
        copy.copy(layer).k = 10**6


@change()
def moved(here, i):
    """`network.to(dtype="float64")`."""
    here.network.to(dtype="float64")


@change()
def checkpoint(here, i):
    """A checkpoint."""
    here.training.checkpoint()


@change()
def checkpoint_on_disk(here, i):
    """A checkpoint, written and read."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "checkpoint.safetensors")
        write_checkpoint(path, here.training.checkpoint())
        read_checkpoint(path)


@change()
def saved_and_loaded(here, i):
    """`save_network` and, where it can be, `load_network`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "network.safetensors")
        save_network(path, here.network)
        with contextlib.suppress(ValueError):
            load_network(path)


@change(needs=("BatchNormalization", "Dropout"))
def restored(here, i):
    """Goes back to an earlier network, by `restore_network`."""
    if "network" not in here.kept:
        here.kept["network"] = Checkpoint({}, network_arrays(here.network))
    else:
        restore_network(here.network, here.kept["network"])


@change(needs=("Adam",))
def restored_with_its_slots(here, i):
    """Goes back to an earlier network and optimizer, by hand."""
    if "params" not in here.kept:
        here.kept |= copy.deepcopy({"params": dict(here.network.params), "slots": dict(slots(here))})
        return
    params, kept = copy.deepcopy((here.kept["params"], here.kept["slots"]))
    for name, value in params.items():
        here.network.params[name] = value
    for name, value in kept.items():
        here.optimizer.slots[name] = value


# Uses of the network.


def _probe(here):
    shape = (3, *here.data[0].shape[1:])
    return np.random.default_rng(5).standard_normal(shape).astype(here.network.dtype)


@change()
def predicts(here, i):
    """`network.predict`."""
    here.network.predict(_probe(here))


@change(needs=("Dropout",))
def forward_in_training(here, i):
    """`network.forward(…, training=True)`, which draws a mask."""
    here.network.forward(_probe(here), training=True)


@change(needs=("BatchNormalization",))
def gradient_of_a_probe(here, i):
    """`network.gradient` of a batch of its own."""
    x, t = here.data
    here.network.gradient(x[:3], t[:3])


@change()
def a_step_by_hand(here, i):
    """A step of the optimizer by hand."""
    x, t = here.data
    grads = here.network.gradient(x[:3], t[:3])
    for name in grads:
        here.network.params[name] -= 0.01 * grads[name]


@change()
def update_by_hand(here, i):
    """`optimizer.update` with the network's own parameters."""
    x, t = here.data
    here.network.gradient(x[:3], t[:3])
    here.optimizer.update(here.network.flat_params, here.network.flat_grads)


@change()
def evaluates(here, i):
    """`network.evaluate`."""
    here.network.evaluate(*here.data)


@change()
def trains_another(here, i):
    """A whole training of a copy, within the training."""
    clone = here.network.to()
    x, t = here.data
    for _ in Training(clone, x, t, optimizer=SGD(0.1), epochs=2, batch_size=2, rng=i, capture=here.capture):
        pass


@change()
def trains_itself(here, i):
    """A whole training of the same network, within the training."""
    x, t = here.data
    for _ in Training(
        here.network, x, t, optimizer=SGD(0.01), epochs=1, batch_size=2, rng=i, capture=here.capture
    ):
        pass


@change(shared=True)
def wraps_every_forward(here, i):
    """Replaces a method of a class while it looks, and puts it back."""
    original = ReLU.forward
    ReLU.forward = lambda self, x, *, training=False: original(self, x, training=training)
    try:
        here.network.predict(_probe(here))
    finally:
        ReLU.forward = original


@change()
def data_changed(here, i):
    """Changes the user's own data in place."""
    here.data[0][0] = 0


# The training itself.


@change()
def stops(here, i):
    """`training.stop()`, late."""
    if i == 3:
        here.training.stop()


@change()
def raises(here, i):
    """An error in a hook, late."""
    if i == 4:
        raise RuntimeError("no more")


@change()
def hook_exchanged(here, i):
    """Looks more often, or less."""
    if here.training.hook_steps:
        here.training.hook_steps = 2 + i % 5


@change(shared=True)
def error_state(here, i):
    """`np.seterr`, which the runner sets back."""
    np.seterr(over="ignore" if i % 2 else "warn")
