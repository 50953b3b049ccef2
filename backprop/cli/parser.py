"""The arguments of the `backprop` command; NumPy is not imported."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from typing import Any, NoReturn

from .. import __version__
from .numbers import natural, positive
from .screen import bound, fold, say
from .setting import Setting
from .settings import DEVICE_HELP, SETTINGS


class Formatter(argparse.HelpFormatter):
    """Break the usage so that it fits a narrow terminal."""

    def _format_usage(self, *arguments: Any) -> str:
        usage = super()._format_usage(*arguments)
        if max(map(len, usage.splitlines())) <= self._width:
            return usage
        options = re.sub(r"\[[^][]*(\[[^][]*\][^][]*)?\]", lambda found: bound(found[0]), usage)
        return "\n".join(fold(" ".join(options.split()), self._width)) + "\n\n"


class Parser(argparse.ArgumentParser):
    """Report an error in one line with a close match, in place of the whole usage."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{"formatter_class": Formatter, **options})

    def error(self, message: str) -> NoReturn:
        """Print the message and exit with status 2."""
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
        """The flags of this parser and of its commands."""
        commands = (action.choices for action in self._actions if action.nargs == argparse.PARSER)
        parsers = [self, *(parser for choices in commands for parser in dict(choices or {}).values())]
        return [option for parser in parsers for option in parser._option_string_actions]


def build_parser() -> Parser:
    """Build the parser; `options.command` is the module whose `main` runs."""
    parser = Parser(
        prog="backprop", description="Train neural networks and prove their gradients, on a CPU or a GPU."
    )
    parser.add_argument("--version", action="version", version=f"backprop {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_train(commands)
    _add_report(commands)
    _add_predict(commands)
    _add_evaluate(commands)
    _add_explain(commands)
    _add_inspect(commands)
    _add_check(commands)
    _add_devices(commands)
    return parser


def _add_train(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add a flag for every setting; those that are not given are left out of the result."""
    train = commands.add_parser(
        "train",
        help="train a network",
        description="Train a network; by default the book's run: "
        f"{SETTINGS['iters'].usual:,} steps on MNIST.",
    )
    groups: dict[object, argparse._ActionsContainer] = {None: train}
    for setting in SETTINGS.values():
        key = setting.group or setting.exclusive
        if key not in groups:
            groups[key] = _group(train, setting)
        _add_setting(groups[key], setting)


def _group(train: Parser, setting: Setting) -> argparse._ActionsContainer:
    if setting.group:
        return train.add_argument_group(setting.group.title, setting.group.description)
    return train.add_mutually_exclusive_group()


def _add_setting(group: argparse._ActionsContainer, setting: Setting) -> None:
    common: dict[str, Any] = {
        "dest": setting.attribute,
        "default": argparse.SUPPRESS,
        "help": setting.help_with_default,
    }
    if setting.is_switch:
        group.add_argument(setting.flag, action="store_true", **common)
        return
    group.add_argument(
        setting.flag,
        type=setting.parse,
        choices=setting.choices or None,
        metavar=setting.metavar,
        nargs=None if setting.bare is None else "?",
        const=setting.bare,
        **common,
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
        help="file of the page (default: report.html in the folder; for several runs comparison.html, or "
        "comparison-N.html if other runs have that)",
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
        help="write what the network sees of the picture to FILE, as PNG; for one picture only",
    )
    predict.add_argument("--array", metavar="NAME", help="array in the .npz file (default: x or x_test)")
    predict.add_argument(
        "--top",
        type=positive,
        default=3,
        metavar="N",
        help="number of classes to show (default: %(default)s)",
    )
    _add_device(predict)
    predict.add_argument(
        "--json",
        action="store_true",
        help="print JSON, one object per sample, with the file if there are several",
    )
    _add_debug(predict)


def _add_evaluate(commands: argparse._SubParsersAction[Parser]) -> None:
    evaluate = commands.add_parser(
        "evaluate",
        help="show loss and accuracy of a trained network",
        description="Show the loss and the accuracy of a network on the test data.",
    )
    evaluate.add_argument("file", metavar="RUN", help="a checkpoint, or the folder of a run")
    evaluate.add_argument("--data", metavar="PATH", help="as for train (default: the data of the run)")
    evaluate.add_argument("--train", action="store_true", help="use the training data instead")
    _add_device(evaluate)
    evaluate.add_argument("--json", action="store_true", help="print one JSON object")
    _add_debug(evaluate)


def _add_explain(commands: argparse._SubParsersAction[Parser]) -> None:
    explain = commands.add_parser(
        "explain",
        help="explain a network step by step",
        description="Run a batch of 10 test samples through a network, forward and backward, and show each "
        "layer's formula with the numbers of a sample put in, the gradient that comes back, and a numerical "
        "derivative beside it: as text, and as a page to step through.",
    )
    explain.add_argument(
        "file",
        metavar="RUN",
        nargs="?",
        help="a checkpoint, or the folder of a run (default: the latest run in runs; without any, an "
        "untrained TwoLayerNet)",
    )
    explain.add_argument("--layer", metavar="NAME", help="only this layer, or the loss (default: all)")
    explain.add_argument(
        "--sample",
        type=natural,
        default=0,
        metavar="N",
        help="the test sample whose numbers are shown, counted from 0; the batch goes on from it (default: "
        "%(default)s)",
    )
    explain.add_argument(
        "--data",
        metavar="PATH",
        help="as for train (default: the data of the run); for a loss of real numbers, an .npz file with "
        "x_test and t_test",
    )
    explain.add_argument(
        "--out", metavar="FILE", help="file of the page (default: explain.html beside the checkpoint)"
    )
    explain.add_argument("--open", action="store_true", help="open the page in a browser")
    _add_device(explain)
    _add_debug(explain)


def _add_inspect(commands: argparse._SubParsersAction[Parser]) -> None:
    inspect = commands.add_parser(
        "inspect",
        help="show what a checkpoint contains",
        description="Show what a checkpoint contains: network, training, settings and arrays.",
    )
    inspect.add_argument("file", metavar="RUN", help="a checkpoint, or the folder of a run")
    inspect.add_argument("--json", action="store_true", help="print one JSON object")
    _add_debug(inspect)


def _add_check(commands: argparse._SubParsersAction[Parser]) -> None:
    check = commands.add_parser(
        "check",
        help="prove gradients",
        description="Compare every gradient with differences in float64. By default all layers, "
        "losses and networks. The exit status is 1 if a gradient is wrong.",
    )
    check.add_argument(
        "subjects",
        nargs="*",
        metavar="MODULE:NAME",
        help="your own layer, loss or network, in a module or a file (code/mine.py:Mine), with a "
        "classmethod case(rng); or a function f with f.case = lambda rng: (f, its_gradient, x)",
    )
    _add_device(check)
    check.add_argument(
        "--net", metavar="NAME", help="check this network: two-layer, mlp, simple-conv, deep-conv, or all"
    )
    check.add_argument("--layer", metavar="NAME", help="check this layer or loss, or all")
    check.add_argument(
        "--elements",
        type=positive,
        metavar="N",
        help="compare N random entries of each array (default: all)",
    )
    check.add_argument("--seed", type=natural, default=0, help="seed of the inputs (default: %(default)s)")
    check.add_argument(
        "--strict", action="store_true", help="exit with status 1 also if differences cannot tell"
    )
    check.add_argument("--json", action="store_true", help="print the report as JSON")
    _add_debug(check)


def _add_devices(commands: argparse._SubParsersAction[Parser]) -> None:
    devices = commands.add_parser("devices", help="list the backends, and what each one is missing")
    devices.add_argument("--json", action="store_true", help="print the list as JSON")
    _add_debug(devices)


def _add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="cpu", help=f"{DEVICE_HELP} (default: %(default)s)")


def _add_debug(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
