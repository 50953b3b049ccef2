"""What `forward` and `backward` take."""

from __future__ import annotations

from typing import Any

import pytest

from backprop import ReLU
from backprop.layers.book_style.form import Form, is_book_style

from ... import book_layers as book


def with_forward(function: Any, backward: Any = lambda self, dout: dout) -> Any:
    return type("Own", (), {"forward": function, "backward": backward})()


@pytest.mark.parametrize(
    ("function", "inputs", "flag"),
    [
        (lambda self, x: x, ("x",), None),
        (lambda self, x, train_flg=True: x, ("x",), "train_flg"),
        (lambda self, x, train_flg: x, ("x",), "train_flg"),
        (lambda self, x, *, training=False: x, ("x",), "training"),
        (lambda self, x, is_training=False: x, ("x",), "is_training"),
        (lambda self, x, train_mode=True: x, ("x",), "train_mode"),
        (lambda self, training: training, ("training",), None),
        (lambda self, x, scale=2.0: x, ("x",), None),
        (lambda self, x, scale=2.0, train=False: x, ("x",), "train"),
        (lambda self, x, y: x, ("x", "y"), None),
        (lambda self, x, *args, **kwargs: x, ("x",), None),
        (lambda self: 0, (), None),
    ],
)
def test_inputs_and_the_flag(function: Any, inputs: tuple[str, ...], flag: str | None) -> None:
    form = Form.of(with_forward(function))
    assert (form.inputs, form.flag, form.switches) == (inputs, flag, ())


@pytest.mark.parametrize(
    ("function", "written"),
    [
        (lambda self, x, test=False: x, "forward(self, x, test=False)"),
        (lambda self, x, train_flg=True, test="no": x, "forward(self, x, train_flg=True, test='no')"),
        (lambda self, x, *args, test=True: x, "forward(self, x, *args, test=True)"),
    ],
)
def test_what_may_be_another_flag(function: Any, written: str) -> None:
    form = Form.of(with_forward(function))
    assert (form.inputs, form.switches, form.written) == (("x",), ("test",), written)


def test_what_is_a_loss() -> None:
    losses = [
        book.SoftmaxWithLoss(),
        book.SquaredError(),  # its second argument is called t
        with_forward(lambda self, x, y: x, lambda self: 0),
        with_forward(lambda self, x, y: x, lambda self, dout=1: 0),
    ]
    others = [book.MulLayer(), book.AddLayer(), book.Relu(), book.Dropout()]
    assert [Form.of(value).is_loss for value in losses] == [True] * 4
    assert [Form.of(value).is_loss for value in others] == [False] * 4
    assert [Form.of(value).takes_dout for value in losses] == [False, True, False, False]


def test_what_is_in_the_book_s_style() -> None:
    class NoBackward:
        def forward(self, x: Any) -> Any:
            return x

    assert is_book_style(book.Relu())
    assert not any(map(is_book_style, (book.Relu, ReLU(), NoBackward(), 3, None)))
