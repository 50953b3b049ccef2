"""A setting of `backprop train`: its names, its values, and how long it holds."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, TypeVar

from ..lookup import UsageError

Default = TypeVar("Default")
Parsed = TypeVar("Parsed")

TRUE, FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}


class Scope(Enum):
    """How long a setting holds, and therefore where it may come from."""

    RUN = auto()
    """For the whole run: checkpoints keep it, and resuming cannot change it."""

    CHANGEABLE = auto()
    """Until a resumed run changes it: checkpoints keep it."""

    PROCESS = auto()
    """For one process: checkpoints do not keep it."""

    COMMAND = auto()
    """For one command: neither checkpoints nor TOML files hold it."""


KEPT = frozenset({Scope.RUN, Scope.CHANGEABLE})
"""The scopes that checkpoints keep."""


@dataclass(frozen=True)
class Group:
    """A heading in the help."""

    title: str
    description: str | None = None


@dataclass(frozen=True)
class ByChoice:
    """A value that depends on another setting.

    >>> rate = ByChoice("optimizer", {"sgd": 0.1, "adam": 0.001}, 0.01)
    >>> rate.of({"optimizer": "adam"}), rate.of({"optimizer": "rmsprop"}), rate.of({})
    (0.001, 0.01, None)
    >>> print(rate)
    sgd 0.1, adam 0.001, others 0.01
    """

    setting: str
    values: Mapping[str, Any]
    otherwise: Any = None

    def of(self, settings: Mapping[str, Any]) -> Any:
        """The value for these settings; None if they lack the other one."""
        choice = settings.get(self.setting)
        return None if choice is None else self.values.get(choice, self.otherwise)

    def __str__(self) -> str:
        others = {} if self.otherwise is None else {"others": self.otherwise}
        return ", ".join(f"{choice} {value}" for choice, value in {**self.values, **others}.items())


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One entry of the table.

    Parameters
    ----------
    attribute : name in `TrainSettings`
    name : name in a checkpoint, and in hyphens or capitals that of the flag, TOML key and variable
    default : value if none is given; False makes a switch, whose flag takes no value or, with `bare`, may
        take one
    usual : replaces None when the setting is used: a value or a `ByChoice`
    help : what the flag does, without the default, which is appended
    parse : converts a text, or raises `argparse.ArgumentTypeError`
    metavar : placeholder for the value in the help
    choices : the valid values, if they are few
    bare : value of the flag without one, if that is valid
    group : heading in the help
    exclusive : settings with the same word exclude each other
    scope : how long it holds
    inherited : whether `--from` takes it from the other run, as it takes the network's settings
    shown : whether it is shown when a run starts
    label : what the screen calls it, for one that is shown there only if it is not the default
    """

    attribute: str
    name: str
    default: Any
    help: str
    usual: Any = None
    parse: Callable[[str], Any] = str
    metavar: str | None = None
    choices: Sequence[str] = ()
    bare: str | None = None
    group: Group | None = None
    exclusive: str | None = None
    scope: Scope = Scope.RUN
    inherited: bool = False
    shown: bool = False
    label: str | None = None

    @property
    def hyphenated(self) -> str:
        """The name in a TOML file."""
        return self.name.replace("_", "-")

    @property
    def flag(self) -> str:
        """The name on the command line."""
        return f"--{self.hyphenated}"

    @property
    def is_switch(self) -> bool:
        """Whether the flag takes no value."""
        return self.default is False and self.bare is None

    @property
    def help_with_default(self) -> str:
        """The help, with the default if there is one."""
        default = self.usual if self.default is None else self.default
        return f"{self.help} (default: {default})" if is_set(default) else self.help

    def fallback(self, settings: Mapping[str, Any]) -> Any:
        """The value that replaces None, given the other settings."""
        return self.usual.of(settings) if isinstance(self.usual, ByChoice) else self.usual

    def convert(self, value: object, source: str) -> Any:
        """Convert a value from a file or a variable as the flag would; errors name the source."""
        text = str(value)
        if self.default is False and text.lower() in TRUE | FALSE:
            return text.lower() in TRUE and (self.bare or True)
        if self.is_switch:
            raise UsageError(f"{source}: expected true or false, got {value!r}")
        if isinstance(value, bool | list | dict):
            raise UsageError(f"{source}: expected one number or text, got {value!r}")
        try:
            converted = self.parse(text)
        except ArgumentTypeError as error:
            raise UsageError(f"{source}: {error}") from None
        if self.choices and converted not in self.choices:
            raise UsageError(f"{source}: expected one of {', '.join(self.choices)}, got {value!r}")
        return converted


def setting(
    default: Default, help: str, *, parse: Callable[[str], Parsed] | None = None, **rest: Any
) -> Default | Parsed:
    """Declare a field as a `Setting`, whose other arguments are `rest`."""
    return field(default=default, metadata={"help": help, "parse": parse or str, **rest})


def is_set(value: object) -> bool:
    """Whether a value is given: None is none, nor is False, a switch that is off."""
    return value is not None and value is not False
