"""`adapted`: layers in the book's style as this package's."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from ..backends import Array, dtype_name, namespace_of
from .book_style.form import Form, is_array, is_book_style
from .book_style.node import BookNode, owned
from .checks import check_dout
from .layer import Layer


class BookLayer(BookNode, Layer):
    """A layer in the book's style, as a `Layer`."""

    def forward(self, x: Array, *, training: bool = False) -> Array:
        return self.run_forward(x, training=training)

    def backward(self, dout: Array) -> Array:
        check_dout(self.name, dout, self.saved[1])
        return self.run_backward(dout)[0]

    def region(self, x: Array) -> Array | None:
        """The masks and indices that forward saves: they tell on which piece each entry lies."""
        carried, draws, xp = self.carried(), np.random.get_state(legacy=False), namespace_of(x)
        self.forward(x, training=True)
        self.carry(carried)
        np.random.set_state(draws)
        found = (value for key, value in vars(self.inner).items() if key in self.attributes.saved)
        pieces = [
            xp.astype(xp.reshape(value, (-1,)), xp.int64)
            for value in found
            if is_array(value) and dtype_name(value.dtype).startswith(("bool", "int", "uint"))
        ]
        return xp.concat(pieces) if pieces else None


class BookOperation(BookNode):
    """A function of two inputs in the book's style, such as its MulLayer, as a `Node`."""

    def forward(self, x: Array, y: Array, *, training: bool = False) -> Array:
        return self.run_forward(x, y, training=training)

    def backward(self, dout: Array) -> tuple[Array, ...]:
        check_dout(self.name, dout, self.saved[1])
        dx, dy = self.run_backward(dout, inputs=2)
        return dx, dy


def adapted(layer: Any, name: str = "") -> Any:
    """A layer in the book's style as a `Layer`; anything else is returned as it is.

    Such a layer has `forward(x)`, or `forward(x, train_flg)`, and `backward(dout)`, which returns dx. An
    attribute W is a parameter if there is an attribute dW, None or an array, or if backward sets it.
    Running statistics are state if they are arrays from the constructor on. Raises `TypeError` for a layer
    that cannot be trained or saved so, and says what to write; `name` begins the message.

    >>> import numpy as np
    >>> class Scale:
    ...     def __init__(self, W):
    ...         self.W, self.dW = W, None
    ...     def forward(self, x):
    ...         self.x = x
    ...         return x * self.W
    ...     def backward(self, dout):
    ...         self.dW = np.sum(dout * self.x, axis=0)
    ...         return dout * self.W
    >>> layer = adapted(Scale(np.asarray([2.0, 3.0])))
    >>> layer, layer.forward(np.asarray([[1.0, 1.0]]), training=True)
    (Scale(W=(2,)), array([[2., 3.]]))
    >>> layer.backward(np.asarray([[1.0, 10.0]])), layer.grads["W"]
    (array([[ 2., 30.]]), array([ 1., 10.]))
    """
    if not is_book_style(layer):
        return layer
    name, form = name or type(layer).__name__, Form.of(layer)
    if len(form.inputs) != 1:
        hint = "; a loss is the network's last_layer" if form.is_loss else ""
        raise TypeError(
            f"{name}: expected forward(self, x) or forward(self, x, train_flg), got {form.written}{hint}"
        )
    if form.switches:
        raise TypeError(
            f"{name}: forward is never given {form.switches[0]}; call it train_flg if it tells training "
            "(True) from inference, else make it an attribute that __init__ sets"
        )
    if not inspect.signature(layer.backward).parameters:
        raise TypeError(f"{name}: expected backward(self, dout), which returns dx; got one without dout")
    return owned(layer) or BookLayer(layer, name)
