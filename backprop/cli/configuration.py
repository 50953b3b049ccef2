"""Where the options of `backprop train` come from: flags, then `BACKPROP_*` variables, then files.

All have one name: `--batch-size 50`, `BACKPROP_BATCH_SIZE=50`, and `batch-size = 50` in a TOML file. A
resumed run has its own settings from its checkpoint. Nothing here imports NumPy, which reads its number
of threads when it is loaded.
"""

from __future__ import annotations

import argparse
import json
import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..files import read_file
from ..lookup import UsageError, lookup
from ..saving.checkpoint import CheckpointError, followed, read_contents, read_description
from ..saving.run_folder import PARENT, checkpoints, meant_by, trained

PREFIX = "BACKPROP_"

OF_THE_PROCESS = {
    "command",
    "command_line",
    "config",
    "out",
    "no_save",
    "resume",
    "json",
    "quiet",
    "debug",
    "help",
    "threads_there",
}
"""Options that are not settings of the run."""

CHANGEABLE = {
    "device", "data", "threads", "precision", "no_capture", "iters", "epochs", "save_every", "keep",
    "log_every", "patience", "no_report",
}  # fmt: skip
"""Settings that a resumed run may have otherwise."""

OF_THE_NETWORK = ("net", "hidden", "layers", "activation", "init", "dropout", "batch_norm")

LARGEST_CONFIG = 2**14
"""The most bytes of a file of settings: the memory that a key takes grows with the square of its length."""

TRUE, FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}


def resolved(options: argparse.Namespace, train: argparse.ArgumentParser, words: Sequence[str]) -> None:
    """Complete the options that `train` parsed from these words: environment, file, checkpoint."""
    actions = {action.dest: action for action in train._actions}
    exclusive = [{a.dest for a in group._group_actions} for group in train._mutually_exclusive_groups]
    given = _given(train, words)
    given = _merged(_one_of_each(_from_environment(actions), exclusive, "the variables"), given, exclusive)
    if given.get("config"):
        name = given["config"]
        given = _merged(_one_of_each(_from_file(Path(name), actions), exclusive, name), given, exclusive)
    if given.get("resume") is not None:
        path = checkpoint_of(given["resume"])
        kept, command, threads = run_of(path, actions)
        options.command_line = f"{command} && {options.command_line}"
        _check_unchanged(path, kept, given)
        options.threads_there = None if "threads" in given else threads
        given = _merged(kept, given, exclusive)
        given["resume"] = str(path)
        if "from" in kept and "net" not in kept:
            given["net"] = None
    elif given.get("from") is not None:
        given = {**_of_the_start(given, actions), **given}
    if given.get("data"):
        given["data"] = os.path.abspath(given["data"])
    vars(options).update(given)


def _of_the_start(given: dict[str, Any], actions: Mapping[str, argparse.Action]) -> dict[str, Any]:
    """What `--from` takes from its run besides the weights; `given["from"]` becomes the checkpoint's file."""
    name = given["from"]
    path = trained(name)
    with followed(path):
        description = read_contents(path).description
        run, network = description.get("run"), description["network"]
        its = {} if run is None else checked(run["settings"], actions, str(path))
        found = {key: its[key] for key in (*OF_THE_NETWORK, "data") if key in its}
        found |= {"dtype": str(network["dtype"]), "net": its.get("net")}
    for key in OF_THE_NETWORK:
        if given.get(key) is not None and given[key] != its.get(key):
            flag = f"--{key.replace('_', '-')}"
            raise UsageError(f"{flag} {given[key]}: --from {name} has a network already; give no {flag}")
    given["from"] = os.path.abspath(path)
    return found


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """What makes the run what it is, without what is None."""
    return {
        key: value
        for key, value in vars(options).items()
        if key not in OF_THE_PROCESS and value is not None and value is not False
    }


def as_toml(values: Mapping[str, Any]) -> bytes:
    """The settings as a file for `--config`; a name that is not UTF-8 keeps its bytes."""
    texts = {key: json.dumps(value, ensure_ascii=False) for key, value in values.items()}
    lines = [f"{key.replace('_', '-')} = {text}\n" for key, text in texts.items()]
    return "".join(lines).replace("\x7f", "\\u007f").encode("utf-8", "surrogateescape")


def checkpoint_of(name: str) -> Path:
    """The checkpoint file of `--resume`: the file itself, a run's last one, or that of the latest run."""
    if not name:
        return _latest_run(PARENT)
    path = Path(name)
    if not path.exists():
        raise CheckpointError(f"--resume {name}: there is no such file or folder{meant_by(path)}")
    if not path.is_dir():
        return path
    found = checkpoints(path)
    if not found:
        raise CheckpointError(f"--resume {name}: there is no checkpoint in this folder{meant_by(path)}")
    return found[-1]


def _latest_run(folder: Path) -> Path:
    """The last checkpoint of the run that was saved last, as the runs themselves say."""
    runs = [found for run in folder.glob("*") if (found := checkpoints(run))]
    if not runs:
        raise CheckpointError(f"--resume: there is no checkpoint in {folder}/; name a run: --resume DIR")
    return max(runs, key=_saved)[-1]


def _saved(found: Sequence[Path]) -> tuple[float, int]:
    """When a run was saved, and at which step, as the last of its checkpoints that can be read says."""
    for path in reversed(found):
        with suppress(CheckpointError, OSError), followed(path):
            description = read_description(path)
            saved = description.get("run", {}).get("saved", 0.0)
            return float(saved), int(description.get("training", {}).get("step", 0))
    return -1.0, 0


def run_of(path: Path, actions: Mapping[str, argparse.Action]) -> tuple[dict[str, Any], str, int | None]:
    """The settings of a checkpoint's run, taken as its flags would be, its command, and its CPU threads."""
    try:
        description = read_contents(path).description
        run, threads = description["run"], description.get("machine", {}).get("threads")
        settings = checked(run["settings"], actions, str(path))
        return settings, str(run["command"]), threads if type(threads) is int and threads > 0 else None
    except UsageError as error:  # a file's, not the user's
        raise CheckpointError(str(error)) from None
    except CheckpointError as error:
        others = [str(other) for other in checkpoints(path.parent) if other != path]
        hint = f"; another one of the run: --resume {others[-1]}" if others else ""
        raise CheckpointError(f"{error}{hint}") from None
    except ValueError as error:
        raise CheckpointError(str(error)) from None
    except (LookupError, TypeError, AttributeError):
        raise CheckpointError(f"{path} is not of 'backprop train': it has no settings of a run") from None


def checked(
    values: Mapping[str, Any],
    actions: Mapping[str, argparse.Action],
    source: str,
    refused: set[str] = OF_THE_PROCESS,
    why: str = "is no setting of a run",
) -> dict[str, Any]:
    """Settings from a file, each as its flag would take it; `refused` are those that cannot come from it."""
    found = {}
    for key, value in values.items():
        dest = _known(key.replace("-", "_"), actions, f"{source}: {key}")
        if dest in refused:
            raise UsageError(f"{source}: {key} {why}")
        found[dest] = _value(actions[dest], value, f"{source}: {key}")
    return found


def _given(train: argparse.ArgumentParser, words: Sequence[str]) -> dict[str, Any]:
    """What stands in the words: parsed once more, without defaults."""
    defaults = {action: action.default for action in train._actions}
    for action in defaults:
        action.default = argparse.SUPPRESS
    try:
        return vars(train.parse_args(words))
    finally:
        for action, default in defaults.items():
            action.default = default


def _merged(
    below: Mapping[str, Any], above: Mapping[str, Any], exclusive: Iterable[set[str]]
) -> dict[str, Any]:
    """Both; where they differ, or exclude each other, what is above."""
    hidden = {key for group in exclusive if group & above.keys() for key in group}
    return {**{key: value for key, value in below.items() if key not in hidden}, **above}


def _one_of_each(values: dict[str, Any], exclusive: Iterable[set[str]], source: str) -> dict[str, Any]:
    """The values, unless two of them exclude each other."""
    for group in exclusive:
        both = sorted(group & values.keys())
        if len(both) > 1:
            raise UsageError(f"{source}: give {' or '.join(both)}, not both")
    return values


def _from_environment(actions: Mapping[str, argparse.Action]) -> dict[str, Any]:
    found = {}
    for name, text in os.environ.items():
        if name.startswith(PREFIX) and text:
            dest = _known(name.removeprefix(PREFIX).lower(), actions, name)
            found[dest] = _value(actions[dest], text, name)
    return found


def _from_file(path: Path, actions: Mapping[str, argparse.Action]) -> dict[str, Any]:
    try:
        values = tomllib.loads(read_file(path, LARGEST_CONFIG).decode("utf-8", "surrogateescape"))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"--config {path}: it is no TOML file: {error}") from None
    refused = OF_THE_PROCESS - {"out", "no_save", "json", "quiet"}
    return checked(values, actions, str(path), refused, "cannot stand in a file; give it on the command line")


def _known(dest: str, actions: Mapping[str, argparse.Action], source: str) -> str:
    """The name of the option; a `ValueError` offers the nearest ones."""
    names = {key.replace("_", "-"): key for key in actions if key != "help"}
    try:
        return lookup("option", dest.replace("_", "-"), names)
    except ValueError as error:
        raise UsageError(f"{source}: {error}") from None


def _value(action: argparse.Action, value: Any, source: str) -> Any:
    """The value as the flag would take it."""
    text = str(value)
    if action.nargs == 0:
        if text.lower() not in TRUE | FALSE:
            raise UsageError(f"{source}: expected true or false, got {value!r}")
        return text.lower() in TRUE or action.default
    if isinstance(value, bool | list | dict):
        raise UsageError(f"{source}: expected one number or text, got {value!r}")
    try:
        converted = action.type(text) if callable(action.type) else text
    except argparse.ArgumentTypeError as error:
        raise UsageError(f"{source}: {error}") from None
    if action.choices is not None and converted not in action.choices:
        raise UsageError(f"{source}: expected one of {', '.join(action.choices)}, got {value!r}")
    return converted


def _check_unchanged(path: Path, kept: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    for key, value in given.items():
        unset = key not in kept and (value is None or value is False)
        if key in OF_THE_PROCESS | CHANGEABLE or unset or value == kept.get(key):
            continue
        flag = f"--{key.replace('_', '-')}"
        was = f"with {flag} {kept[key]}" if key in kept else f"without {flag}"
        raise UsageError(f"{flag} {value}: the run of {path} goes on {was}; for another run give no --resume")
