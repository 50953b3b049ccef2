"""The arguments of the `backprop` command; imports nothing but the standard library."""

from __future__ import annotations

import argparse
import difflib
import math
import re
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from .. import __version__
from .screen import bound, fold, say

DEVICE_HELP = "auto, cpu, gpu, gpu:1, torch, torch:cuda, … (see 'backprop devices'; default: %(default)s)"


class Formatter(argparse.HelpFormatter):
    """A usage that fits into a narrow terminal, too."""

    def _format_usage(self, *arguments: Any) -> str:
        usage = super()._format_usage(*arguments)
        if max(map(len, usage.splitlines())) <= self._width:
            return usage
        options = re.sub(r"\[[^][]*(\[[^][]*\][^][]*)?\]", lambda found: bound(found[0]), usage)
        return "\n".join(fold(" ".join(options.split()), self._width)) + "\n\n"


class Parser(argparse.ArgumentParser):
    """One line for what is wrong, with the nearest word, in place of the whole usage."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{"formatter_class": Formatter, **options})

    def error(self, message: str) -> NoReturn:
        """Say it, and exit with status 2."""
        say(f"{self.prog}: error: {message}{self._nearest(message)}; see {self.prog} --help", file=sys.stderr)
        self.exit(2)

    def _nearest(self, message: str) -> str:
        if choice := re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)", message):
            word, known = choice[1], re.findall(r"[\w-]+", choice[2])
        elif options := re.search(r"unrecognized arguments: .*?(--[\w-]+)", message):
            word, known = options[1], self._all_options()
        else:
            return ""
        near = difflib.get_close_matches(word, known, n=1)
        return f"; did you mean {near[0]}?" if near else ""

    def _all_options(self) -> list[str]:
        """The options of this parser and of its commands."""
        commands = (action.choices for action in self._actions if action.nargs == argparse.PARSER)
        parsers = [self, *(parser for choices in commands for parser in dict(choices or {}).values())]
        return [option for parser in parsers for option in parser._option_string_actions]


def build_parser() -> tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    """The parser of all commands, and the one of `train`; `options.command` is the module that runs."""
    parser = Parser(
        prog="backprop", description="Train neural networks and prove their gradients, on a CPU or a GPU."
    )
    parser.add_argument("--version", action="version", version=f"backprop {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    train = _add_train(commands)
    _add_report(commands)
    _add_predict(commands)
    _add_evaluate(commands)
    _add_inspect(commands)
    _add_check(commands)
    _add_devices(commands)
    return parser, train


def _add_train(commands: argparse._SubParsersAction[Parser]) -> argparse.ArgumentParser:
    train = commands.add_parser(
        "train",
        help="train a network",
        description="Train a network; by default the book's run: 10,000 steps on MNIST.",
    )
    train.add_argument("--device", default="auto", help=DEVICE_HELP)
    _add_network(train)
    train.add_argument(
        "--data",
        metavar="PATH",
        help="a folder of four IDX files, or an .npz file (default: the MNIST in this package)",
    )
    _add_run(train)
    length = train.add_mutually_exclusive_group()
    length.add_argument("--iters", type=_positive, metavar="N", help="steps to train (default: 10000)")
    length.add_argument("--epochs", type=_positive, metavar="N", help="epochs to train, instead")
    train.add_argument(
        "--batch-size", type=_positive, default=100, metavar="N", help="samples a step (default: %(default)s)"
    )
    _add_optimizer(train)
    train.add_argument(
        "--sampling",
        choices=["without-replacement", "with-replacement"],
        default="without-replacement",
        metavar="HOW",
        help="batches are drawn without-replacement or, as in the book, with-replacement "
        "(default: %(default)s)",
    )
    train.add_argument(
        "--seed", type=_natural, default=0, help="of weights and batch order (default: %(default)s)"
    )
    train.add_argument(
        "--dtype", choices=["float32", "float64"], default="float32", help="(default: %(default)s)"
    )
    train.add_argument(
        "--threads",
        type=_positive,
        metavar="N",
        help="CPU threads of the matrix products (default: 1 for small products, else the library's)",
    )
    train.add_argument(
        "--precision",
        choices=["full", "tf32"],
        default="full",
        help="tf32 rounds the factors of a GPU's float32 products to 10 bits, which is faster "
        "(default: %(default)s)",
    )
    train.add_argument(
        "--no-capture",
        action="store_true",
        help="call every step as written; by default one is recorded and replayed, which is faster",
    )
    train.add_argument(
        "--json", action="store_true", help="one JSON object a line on stdout, and nothing else there"
    )
    train.add_argument("--quiet", action="store_true", help="only the folder of the run and the last line")
    _add_debug(train)
    return train


def _add_run(train: argparse.ArgumentParser) -> None:
    group = train.add_argument_group("run", "where it is kept, and how it goes on")
    group.add_argument(
        "--config",
        metavar="FILE",
        help="a TOML file of these options by name, as in the config.toml of a run",
    )
    group.add_argument(
        "--out", metavar="DIR", help="the folder of the run (default: the first free runs/NAME-N)"
    )
    group.add_argument("--no-save", action="store_true", help="keep nothing")
    group.add_argument(
        "--save-every",
        type=_steps_or_epoch,
        default="epoch",
        metavar="N|epoch",
        help="a checkpoint every N steps, or every epoch (default: %(default)s)",
    )
    group.add_argument(
        "--keep", type=_positive, default=2, metavar="N", help="the last N checkpoints (default: %(default)s)"
    )
    group.add_argument(
        "--resume",
        nargs="?",
        const="",
        metavar="DIR|FILE",
        help="go on with a run from its last checkpoint, or from this one; without a name, the latest run",
    )
    group.add_argument(
        "--from",
        metavar="DIR|FILE",
        help="start from the weights of this run or checkpoint: network, dtype and data are its own, all "
        "else is as given here",
    )
    group.add_argument(
        "--log-every",
        type=_positive,
        metavar="N",
        help="a line in history.jsonl every N steps of an epoch (default: about a hundred lines a run)",
    )
    group.add_argument(
        "--validation",
        type=_share,
        metavar="SHARE",
        help="hold back this share of the training data, and keep the checkpoint with the lowest loss on it",
    )
    group.add_argument(
        "--patience",
        type=_positive,
        metavar="N",
        help="stop when N epochs have not lowered the loss on the validation data",
    )
    group.add_argument("--no-report", action="store_true", help="no report.html at the end")


def _add_network(train: argparse.ArgumentParser) -> None:
    group = train.add_argument_group("network")
    group.add_argument(
        "--net",
        type=str.lower,
        default="two-layer",
        metavar="NAME",
        help="two-layer, mlp, simple-conv or deep-conv: the book's networks (default: %(default)s)",
    )
    group.add_argument(
        "--hidden",
        type=_positive,
        metavar="N",
        help="width of the hidden affine layer, but for mlp (default: 50, simple-conv 100)",
    )
    group.add_argument(
        "--layers", metavar="WIDTHS", help="of mlp, from inputs to classes, as in 784-100-100-10"
    )
    group.add_argument(
        "--activation",
        type=str.lower,
        metavar="NAME",
        help="of mlp: relu, sigmoid, tanh, leaky-relu, gelu or identity",
    )
    group.add_argument(
        "--init",
        metavar="NAME|STD",
        help="initial weights: he, xavier or a standard deviation (default: the network's, as in the book)",
    )
    group.add_argument("--batch-norm", action="store_true", default=None, help="batch normalization in mlp")
    group.add_argument(
        "--dropout", type=_number, metavar="RATIO", help="the share dropped, of mlp and deep-conv"
    )


def _add_optimizer(train: argparse.ArgumentParser) -> None:
    group = train.add_argument_group("optimizer")
    group.add_argument(
        "--optimizer",
        type=str.lower,
        default="sgd",
        metavar="NAME",
        help="sgd, momentum, nesterov, adagrad, rmsprop, adam or adamw (default: %(default)s)",
    )
    group.add_argument(
        "--lr",
        type=_rate,
        metavar="RATE",
        help="learning rate (default: sgd 0.1, adam and adamw 0.001, others 0.01)",
    )
    group.add_argument(
        "--weight-decay",
        type=_rate,
        metavar="LAMBDA",
        help="adds LAMBDA/2 times the weights' squares to the loss, as in the book; adamw: decoupled",
    )
    group.add_argument(
        "--schedule",
        type=str.lower,
        default="constant",
        metavar="NAME",
        help="of the rate: constant, cosine[:LOWEST] or step:EVERY[:FACTOR] (default: %(default)s)",
    )
    group.add_argument(
        "--warm-up", type=_natural, default=0, metavar="N", help="steps in which the rate rises to its start"
    )
    group.add_argument(
        "--clip-norm", type=_norm, metavar="NORM", help="the largest norm that the gradient may have"
    )


def _add_report(commands: argparse._SubParsersAction[Parser]) -> None:
    report = commands.add_parser(
        "report",
        help="write the page of a run",
        description="Write the page of a run, or one that compares several runs.",
    )
    report.add_argument("folders", nargs="+", metavar="DIR", help="the folder of a run")
    report.add_argument(
        "--out",
        metavar="FILE",
        help="the page (default: report.html in the folder; of several, comparison.html, or "
        "comparison-N.html where that is of other runs)",
    )
    _add_debug(report)


def _add_predict(commands: argparse._SubParsersAction[Parser]) -> None:
    predict = commands.add_parser(
        "predict",
        help="use a trained network",
        description="Show the most probable classes of pictures, or of every sample in an array.",
    )
    predict.add_argument("file", metavar="RUN", nargs="?", help="a checkpoint, or the folder of a run")
    predict.add_argument(
        "--input",
        required=True,
        nargs="+",
        action="extend",
        metavar="FILE",
        help="pictures, or .npy or .npz files of samples",
    )
    predict.add_argument(
        "--show-input",
        metavar="FILE",
        help="write what the network sees of the picture, of which there is one, into FILE, as PNG",
    )
    predict.add_argument("--array", metavar="NAME", help="the array in the .npz file (default: x or x_test)")
    predict.add_argument(
        "--top", type=_positive, default=3, metavar="N", help="how many classes (default: %(default)s)"
    )
    predict.add_argument("--device", default="cpu", help=DEVICE_HELP)
    predict.add_argument(
        "--json", action="store_true", help="one JSON object a sample, with its file where there are several"
    )
    _add_debug(predict)


def _add_evaluate(commands: argparse._SubParsersAction[Parser]) -> None:
    evaluate = commands.add_parser(
        "evaluate",
        help="loss and accuracy of a trained network",
        description="Show the loss and the accuracy of a network on the test data.",
    )
    evaluate.add_argument("file", metavar="RUN", help="a checkpoint, or the folder of a run")
    evaluate.add_argument("--data", metavar="PATH", help="as for train (default: the data of the run)")
    evaluate.add_argument("--train", action="store_true", help="on the training data instead")
    evaluate.add_argument("--device", default="cpu", help=DEVICE_HELP)
    evaluate.add_argument("--json", action="store_true", help="as one JSON object")
    _add_debug(evaluate)


def _add_inspect(commands: argparse._SubParsersAction[Parser]) -> None:
    inspect = commands.add_parser(
        "inspect",
        help="what is in a checkpoint",
        description="Show what is in a checkpoint: network, training, settings and arrays.",
    )
    inspect.add_argument("file", metavar="RUN", help="a checkpoint, or the folder of a run")
    inspect.add_argument("--json", action="store_true", help="as one JSON object")
    _add_debug(inspect)


def _add_check(commands: argparse._SubParsersAction[Parser]) -> None:
    check = commands.add_parser(
        "check",
        help="prove gradients",
        description="Compare every gradient with differences in float64. Without a choice, all layers, all "
        "losses and all networks. The exit status is 1 where a gradient is wrong.",
    )
    check.add_argument(
        "subjects",
        nargs="*",
        metavar="MODULE:NAME",
        help="a layer, loss or network of yours, in a module or a file (code/mine.py:Mine), with a "
        "classmethod case(rng), or a function f with "
        "f.case = lambda rng: (f, its_gradient, x)",
    )
    check.add_argument("--device", default="cpu", help=DEVICE_HELP)
    check.add_argument(
        "--net", metavar="NAME", help="check this network: two-layer, mlp, simple-conv, deep-conv, or all"
    )
    check.add_argument("--layer", metavar="NAME", help="check this layer or loss, or all")
    check.add_argument(
        "--elements",
        type=_positive,
        metavar="N",
        help="compare N random entries of each array (default: all)",
    )
    check.add_argument("--seed", type=_natural, default=0, help="of the inputs (default: %(default)s)")
    check.add_argument(
        "--strict", action="store_true", help="exit status 1 also where differences cannot tell"
    )
    check.add_argument("--json", action="store_true", help="the report as JSON")
    _add_debug(check)


def _add_devices(commands: argparse._SubParsersAction[Parser]) -> None:
    devices = commands.add_parser("devices", help="list the backends, and what each one lacks here")
    devices.add_argument("--json", action="store_true", help="the list as JSON")
    _add_debug(devices)


def _add_debug(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")


def _at_least(smallest: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            value = int(text.replace("_", ""))
        except ValueError:
            value = smallest - 1
        if value < smallest:
            raise argparse.ArgumentTypeError(f"expected a whole number of at least {smallest}, got {text!r}")
        return value

    return parse


_positive, _natural = _at_least(1), _at_least(0)


def _steps_or_epoch(text: str) -> int | str:
    return text if text == "epoch" else _positive(text)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"expected a finite number, got {text!r}")
    return value


def _norm(text: str) -> float:
    value = _number(text)
    if value <= 0.0:
        raise argparse.ArgumentTypeError(f"expected a finite number above 0, got {text!r}")
    return value


def _rate(text: str) -> float:
    try:
        value = _number(text)
    except argparse.ArgumentTypeError:
        value = -1.0
    if value < 0.0:
        raise argparse.ArgumentTypeError(f"expected a finite number of at least 0, got {text!r}")
    return value


def _share(text: str) -> float:
    value = _number(text)
    if not 0.0 < value < 1.0:
        raise argparse.ArgumentTypeError(f"expected a share above 0 and below 1, got {text!r}")
    return value
