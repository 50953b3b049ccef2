"""The arguments of the `backprop` command; imports nothing but the standard library."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

from .. import __version__

DEVICE_HELP = "auto, cpu, gpu, gpu:1, torch, torch:cuda, … (see 'backprop devices'; default: %(default)s)"


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands; `options.command` is the module that runs."""
    parser = argparse.ArgumentParser(
        prog="backprop", description="Train neural networks and prove their gradients, on a CPU or a GPU."
    )
    parser.add_argument("--version", action="version", version=f"backprop {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_train(commands)
    _add_check(commands)
    _add_devices(commands)
    return parser


def _add_train(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    train = commands.add_parser(
        "train",
        help="train a network",
        description="Train a network; by default the book's run: 10,000 steps on MNIST.",
    )
    train.add_argument("--device", default="auto", help=DEVICE_HELP)
    train.add_argument(
        "--net", choices=["two-layer"], default="two-layer", help="the network (default: %(default)s)"
    )
    train.add_argument(
        "--hidden", type=_positive, default=50, metavar="N", help="hidden units (default: %(default)s)"
    )
    train.add_argument(
        "--data",
        metavar="PATH",
        help="a folder of four IDX files, or an .npz file (default: the MNIST in this package)",
    )
    length = train.add_mutually_exclusive_group()
    length.add_argument("--iters", type=_positive, metavar="N", help="steps to train (default: 10000)")
    length.add_argument("--epochs", type=_positive, metavar="N", help="epochs to train, instead")
    train.add_argument(
        "--batch-size", type=_positive, default=100, metavar="N", help="samples a step (default: %(default)s)"
    )
    train.add_argument(
        "--lr", type=_rate, default=0.1, metavar="RATE", help="learning rate of SGD (default: %(default)s)"
    )
    train.add_argument(
        "--sampling",
        choices=["without-replacement", "with-replacement"],
        default="without-replacement",
        help="how batches are drawn; the book's is with-replacement (default: %(default)s)",
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
        help="CPU threads of the matrix products (default: 1 for a small network, else the library's)",
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
    train.add_argument("--quiet", action="store_true", help="only the last line")
    _add_debug(train)


def _add_check(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    check = commands.add_parser(
        "check",
        help="prove gradients",
        description="Compare every gradient with central differences in float64. Without a choice, all "
        "layers, all losses and the book's network.",
    )
    check.add_argument(
        "subjects",
        nargs="*",
        metavar="MODULE:CLASS",
        help="a layer, loss or network of yours, with a classmethod case(rng)",
    )
    check.add_argument("--device", default="cpu", help=DEVICE_HELP)
    check.add_argument("--net", choices=["two-layer"], help="check this network, on three MNIST images")
    check.add_argument("--layer", metavar="NAME", help="check this layer or loss, or all")
    check.add_argument(
        "--elements",
        type=_positive,
        metavar="N",
        help="compare N random entries of each array (default: all)",
    )
    check.add_argument("--seed", type=_natural, default=0, help="of the inputs (default: %(default)s)")
    check.add_argument("--json", action="store_true", help="the report as JSON")
    _add_debug(check)


def _add_devices(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
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


def _rate(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0.0):
        raise argparse.ArgumentTypeError(f"expected a finite number of at least 0, got {text!r}")
    return value
