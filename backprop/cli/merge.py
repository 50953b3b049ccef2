"""Merge the settings from all sources.

A flag overrides a variable, which overrides a TOML file, which overrides the checkpoint of a run that is
resumed or started from, which overrides the default.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..lookup import UsageError
from .checkpoint import check_unchanged, find_checkpoint, inherited, read_run
from .environment import from_environment
from .settings import EXCLUSIVE, SETTINGS, TrainSettings
from .toml import from_toml


def merge_settings(flags: Mapping[str, Any], command_line: str) -> TrainSettings:
    """Merge flags, by attribute, with the environment, a TOML file and a checkpoint."""
    given = _merged(_one_of_each(from_environment(os.environ), "the variables"), flags)
    if config := given.get("config"):
        given = _merged(_one_of_each(from_toml(Path(config)), config), given)
    if given.get("resume") is not None:
        return _resumed(given, command_line)
    if given.get("start_from") is not None:
        found = inherited(given)
        given = {**found, **given, "start_from": found["start_from"]}
    return TrainSettings(**given, command_line=command_line)


def _resumed(given: Mapping[str, Any], command_line: str) -> TrainSettings:
    run = read_run(find_checkpoint(given["resume"]))
    check_unchanged(run, given)
    settings = {**_merged(run.settings, given), "resume": str(run.path)}
    if "start_from" in run.settings and "net" not in run.settings:
        settings["net"] = None  # a program built its network
    return TrainSettings(
        **settings,
        command_line=f"{run.command_line} && {command_line}",
        threads_there=None if "threads" in given else run.threads,
    )


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Override the settings below, and those that are excluded, by those above."""
    hidden = {attribute for group in EXCLUSIVE if group & above.keys() for attribute in group}
    return {**{attribute: value for attribute, value in below.items() if attribute not in hidden}, **above}


def _one_of_each(values: dict[str, Any], source: str) -> dict[str, Any]:
    """Return the values; raises a `UsageError` if two of them exclude each other."""
    for group in EXCLUSIVE:
        both = sorted(SETTINGS[attribute].name for attribute in group & values.keys())
        if len(both) > 1:
            raise UsageError(f"{source}: give {' or '.join(both)}, not both")
    return values
