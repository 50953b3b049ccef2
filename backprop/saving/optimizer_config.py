"""Convert an optimizer to a config of JSON values, and back.

A config has the class's name and its settings, which are the constructor's arguments; a schedule is a nested
config. It names classes of `backprop.optimizers` and `backprop.schedules`, a closed registry: no name in a
file is ever imported. A custom optimizer or schedule is marked as such; it can be compared but not rebuilt.

Older checkpoints, which hold the optimizer's `repr` instead of its settings, can be read as well.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import schedules
from ..optimizers import OPTIMIZERS, Optimizer
from ..optimizers.base import settings_of

OPTIMIZER_KINDS: dict[str, type[Optimizer]] = {kind.__name__: kind for kind in OPTIMIZERS.values()}
"""Every optimizer that a config can name."""

SCHEDULE_KINDS: dict[str, type[Any]] = {name: getattr(schedules, name) for name in schedules.__all__}
"""Every schedule that a config can name."""

ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+")
"""The memory address in an object's `repr`."""

LONGEST_REPR = 2000
"""The most characters of a `repr` that are parsed; a longer one belongs to a custom object."""


class UnknownOptimizerError(ValueError):
    """A config names an optimizer or schedule that is not in this package."""


def optimizer_config(optimizer: Optimizer) -> dict[str, Any]:
    """Return the config of an optimizer: how it was made, without its slots and its step count.

    >>> from backprop import Momentum
    >>> optimizer_config(Momentum(0.1))
    {'class': 'Momentum', 'settings': {'lr': 0.1, 'max_norm': None, 'momentum': 0.9}}
    """
    kind = type(optimizer)
    own = {} if OPTIMIZER_KINDS.get(kind.__name__) is kind else {"own": True}
    settings = {name: _value_config(value) for name, value in settings_of(optimizer).items()}
    return {"class": kind.__name__, **own, "settings": settings}


def optimizer_from_config(config: Mapping[str, Any]) -> Optimizer:
    """Build an optimizer from its config, such as `read_checkpoint(path).description["optimizer"]`.

    It starts at its first step. Raises `UnknownOptimizerError` for an optimizer or schedule that is not in
    this package, and `ValueError` for settings that it does not take.

    >>> from backprop import Momentum
    >>> optimizer_from_config(optimizer_config(Momentum(0.1)))
    Momentum(lr=0.1, max_norm=None, momentum=0.9)
    """
    try:
        optimizer: Optimizer = _built(_with_settings(config), OPTIMIZER_KINDS)
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"the description of the optimizer cannot be interpreted: {error}") from None
    return optimizer


def optimizer_text(config: Mapping[str, Any]) -> str:
    """Return a config as the call that makes the optimizer.

    >>> from backprop import SGD
    >>> from backprop.schedules import Cosine
    >>> optimizer_text(optimizer_config(SGD(Cosine(0.1, 600))))
    'SGD(lr=Cosine(lr=0.1, steps=600, lowest=0.0), max_norm=None)'
    """
    return _text(_with_settings(config))


def setting_differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Return the settings that differ between two configs of one optimizer class, as text.

    >>> from backprop import SGD
    >>> setting_differences(*(optimizer_config(SGD(lr)) for lr in (0.1, 0.2)))
    {'lr': ('0.1', '0.2')}
    """
    ours, theirs = _with_settings(ours), _with_settings(theirs)
    if "text" in theirs:
        texts = _text(ours), _text(theirs)
        return {} if texts[0] == texts[1] else {"settings": texts}
    mine, its = ours["settings"], theirs["settings"]
    return {
        name: (_setting_text(mine, name), _setting_text(its, name))
        for name in {**mine, **its}
        if mine.get(name) != its.get(name) and _setting_text(mine, name) != _setting_text(its, name)
    }


def _value_config(value: Any) -> Any:
    """Return a setting as a JSON value; a schedule or other object becomes a config."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    kind = type(value)
    if SCHEDULE_KINDS.get(kind.__name__) is not kind:
        return {"class": kind.__name__, "own": True, "text": ADDRESS.sub("", repr(value))}
    settings = {name: _value_config(setting) for name, setting in vars(value).items()}
    return {"class": kind.__name__, "settings": settings}


def _built(config: Mapping[str, Any], kinds: Mapping[str, type[Any]]) -> Any:
    kind = kinds.get(config["class"])
    if kind is None or config.get("own"):
        what = "an optimizer" if kinds is OPTIMIZER_KINDS else "a schedule"
        raise UnknownOptimizerError(
            f"{config['class']} is not {what} of backprop; build it yourself and give the optimizer to "
            "fit(…, optimizer=…, resume=…)"
        )
    settings = {
        name: _built(value, SCHEDULE_KINDS) if isinstance(value, Mapping) else value
        for name, value in config["settings"].items()
    }
    return kind(**settings)


def _text(config: Mapping[str, Any]) -> str:
    if "text" in config:
        return str(config["text"])
    settings = config["settings"]
    return f"{config['class']}({', '.join(f'{name}={_setting_text(settings, name)}' for name in settings)})"


def _setting_text(settings: Mapping[str, Any], name: str) -> str:
    if name not in settings:
        return "not set"
    value = settings[name]
    return _text(value) if isinstance(value, Mapping) else repr(value)


def _with_settings(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the config, parsed from a `repr` if an older version wrote one instead of settings."""
    if not isinstance(config["settings"], str):
        return config
    text = ADDRESS.sub("", config["settings"])
    try:
        return _config_of_call(ast.parse(text[:LONGEST_REPR], mode="eval").body, OPTIMIZER_KINDS)
    except (SyntaxError, ValueError, AttributeError, RecursionError, MemoryError):  # a custom object
        return {"class": config["class"], "own": True, "settings": {}, "text": text}


def _config_of_call(call: Any, kinds: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config of a call such as `Adam(lr=Cosine(lr=0.1, steps=9))`."""
    if call.args:
        raise ValueError("expected keyword arguments only")
    settings = {
        keyword.arg: _config_of_call(keyword.value, SCHEDULE_KINDS)
        if isinstance(keyword.value, ast.Call)
        else ast.literal_eval(keyword.value)
        for keyword in call.keywords
    }
    own = {} if call.func.id in kinds else {"own": True}
    return {"class": call.func.id, **own, "settings": settings}
