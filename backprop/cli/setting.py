"""What one setting of `backprop train` is: its names, its values, and how long it holds."""

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
    """How long a setting holds, and so where it may come from."""

    RUN = auto()
    """For the whole run: checkpoints keep it, and a resume may not change it."""

    CHANGEABLE = auto()
    """Until a resume changes it: checkpoints keep it."""

    PROCESS = auto()
    """For one process: checkpoints do not keep it."""

    COMMAND = auto()
    """For one command: neither checkpoints nor files hold it."""


KEPT = frozenset({Scope.RUN, Scope.CHANGEABLE})
"""The scopes of what checkpoints keep."""


@dataclass(frozen=True)
class Group:
    """Flags that stand together in the help."""

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
        """The value for these settings; None where they do not have the other one."""
        choice = settings.get(self.setting)
        return None if choice is None else self.values.get(choice, self.otherwise)

    def __str__(self) -> str:
        others = {} if self.otherwise is None else {"others": self.otherwise}
        return ", ".join(f"{choice} {value}" for choice, value in {**self.values, **others}.items())


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One line of the table.

    Parameters
    ----------
    attribute : its name in `TrainSettings`
    name : its name in a checkpoint; with hyphens, that of the flag, the variable and the TOML key
    default : the value where none is given; a setting with False is a switch
    usual : what is used in place of None, a value or `ByChoice`
    help : what the flag does; the default is added
    parse : makes a value of a text, or raises `argparse.ArgumentTypeError`
    metavar : what stands for the value in the help
    choices : the only values
    bare : the value of the flag alone, if it may stand alone
    group : where the flag stands in the help
    exclusive : of the settings with the same word here only one may be given
    scope : how long it holds
    inherited : whether a run that starts `--from` another takes it from there, as it does the network's
    shown : whether the start of a run shows it
    label : what the screen calls it where it is not the default
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
        """The name as TOML has it."""
        return self.name.replace("_", "-")

    @property
    def flag(self) -> str:
        """The name on the command line."""
        return f"--{self.hyphenated}"

    @property
    def is_switch(self) -> bool:
        """Whether the flag takes no value."""
        return self.default is False

    @property
    def help_with_default(self) -> str:
        """The help and the default, if there is one."""
        default = self.usual if self.default is None else self.default
        return self.help if default is None or self.is_switch else f"{self.help} (default: {default})"

    def fallback(self, settings: Mapping[str, Any]) -> Any:
        """What is used in place of None, given the other settings."""
        return self.usual.of(settings) if isinstance(self.usual, ByChoice) else self.usual

    def convert(self, value: object, source: str) -> Any:
        """A value from a file or a variable as the flag would take it; errors name the source."""
        text = str(value)
        if self.is_switch:
            if text.lower() not in TRUE | FALSE:
                raise UsageError(f"{source}: expected true or false, got {value!r}")
            return text.lower() in TRUE
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
    """A dataclass field that is a `Setting`; `rest` are the other arguments of that."""
    return field(default=default, metadata={"help": help, "parse": parse or str, **rest})


def is_set(value: object) -> bool:
    """Whether a setting has a value: None and False, a switch that is off, are none."""
    return value is not None and value is not False
