"""Settings from a checkpoint, for `--resume` and `--from`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from ..lookup import UsageError
from ..saving.checkpoint import CheckpointError, followed, read_contents, read_description
from ..saving.run_folder import PARENT, checkpoints, latest, trained
from .setting import Scope, is_set
from .settings import NETWORK, SETTINGS, convert

OF_THE_NETWORK = [s for s in SETTINGS.values() if s.group is NETWORK]
INHERITED = [s for s in SETTINGS.values() if s.group is NETWORK or s.inherited]


class StoredRun(NamedTuple):
    """What a checkpoint says about its run."""

    path: Path
    settings: dict[str, Any]
    command_line: str
    threads: int | None


def find_checkpoint(name: str) -> Path:
    """Find the checkpoint for `--resume`: a file, the last one in a folder, or the latest run's."""
    if not name:
        return _latest_checkpoint(PARENT)
    try:
        return latest(name)
    except CheckpointError as error:
        raise CheckpointError(f"--resume {error}") from None


def _latest_checkpoint(folder: Path) -> Path:
    """The last checkpoint of the latest run in the folder."""
    run = latest_run(folder)
    if run is None:
        raise CheckpointError(f"--resume: there is no checkpoint in {folder}/; name a run: --resume DIR")
    return checkpoints(run)[-1]


def latest_run(folder: Path = PARENT) -> Path | None:
    """The run in the folder that was saved last, according to its checkpoints; None without any."""
    runs = [found for run in folder.glob("*") if (found := checkpoints(run))]
    return max(runs, key=_saved)[-1].parent if runs else None


def _saved(found: Sequence[Path]) -> tuple[float, int]:
    """When a run was saved, and at which step, according to its last readable checkpoint."""
    for path in reversed(found):
        with suppress(CheckpointError, OSError), followed(path):
            description = read_description(path)
            saved = description.get("run", {}).get("saved", 0.0)
            return float(saved), int(description.get("training", {}).get("step", 0))
    return -1.0, 0


def read_run(path: Path) -> StoredRun:
    """Read about a checkpoint's run; a damaged file, or one of no run, raises a `CheckpointError`."""
    try:
        description = read_contents(path).description
        run, threads = description["run"], description.get("machine", {}).get("threads")
        settings = convert(run["settings"], str(path))
        valid = type(threads) is int and threads > 0
        return StoredRun(path, settings, str(run["command"]), threads if valid else None)
    except CheckpointError as error:
        others = [str(other) for other in checkpoints(path.parent) if other != path]
        hint = f"; another one of the run: --resume {others[-1]}" if others else ""
        raise CheckpointError(f"{error}{hint}") from None
    except ValueError as error:  # or a `UsageError`: the file is wrong, not the command
        raise CheckpointError(str(error)) from None
    except (LookupError, TypeError, AttributeError):
        raise CheckpointError(f"{path} is not of 'backprop train': it has no settings of a run") from None


def check_unchanged(run: StoredRun, given: Mapping[str, Any]) -> None:
    """Raise a `UsageError` if a setting differs that resuming cannot change."""
    for attribute, value in given.items():
        setting, stored = SETTINGS[attribute], run.settings.get(attribute)
        if setting.scope is not Scope.RUN or value == stored or not (is_set(value) or is_set(stored)):
            continue
        was = f"with {setting.flag} {stored}" if attribute in run.settings else f"without {setting.flag}"
        raise UsageError(
            f"{setting.flag} {value}: the run of {run.path} goes on {was}; for another run give no --resume"
        )


def inherited(given: Mapping[str, Any]) -> dict[str, Any]:
    """Read the settings that `--from` takes along with the weights; `start_from` becomes the file."""
    name = given["start_from"]
    path = trained(name)
    with followed(path):
        description = read_contents(path).description
        run, network = description.get("run"), description["network"]
        its = {} if run is None else convert(run["settings"], str(path))
        dtype = str(network["dtype"])
    for setting in OF_THE_NETWORK:
        value = given.get(setting.attribute)
        if is_set(value) and value != its.get(setting.attribute):
            raise UsageError(
                f"{setting.flag} {value}: --from {name} has a network already; give no {setting.flag}"
            )
    found = {s.attribute: its[s.attribute] for s in INHERITED if s.attribute in its}
    return {"net": None, "dtype": dtype, **found, "start_from": os.path.abspath(path)}
