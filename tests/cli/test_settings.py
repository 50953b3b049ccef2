"""The table of settings, and all that derives from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import FrozenInstanceError, replace
from inspect import Parameter, signature
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest

from backprop import TwoLayerNet
from backprop.backends import get_backend
from backprop.cli import settings as table
from backprop.cli.build import MODELS, build_network, build_optimizer, defaults, steps_of
from backprop.cli.environment import from_environment
from backprop.cli.numbers import share
from backprop.cli.parser import build_parser
from backprop.cli.setting import KEPT, ByChoice, Scope, Setting
from backprop.cli.settings import SETTINGS, TrainSettings, convert
from backprop.cli.toml import as_toml, from_toml
from backprop.datasets import Dataset
from backprop.lookup import UsageError
from backprop.optimizers import OPTIMIZERS

each = pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)


def example(setting: Setting) -> tuple[str, Any]:
    """A text for a setting, and the value that is made of it; not its default."""
    if setting.is_switch:
        return "true", True
    text = setting.choices[-1] if setting.choices else "0.5" if setting.parse is share else "7"
    return text, setting.parse(text)


def parsed(*words: str) -> dict[str, Any]:
    """What stands on the command line of `train`."""
    found = vars(build_parser().parse_args(["train", *words]))
    assert found.pop("command") == "train"
    return found


def help_of_train(capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit):
        build_parser().parse_args(["train", "--help"])
    return " ".join(capsys.readouterr().out.split())


@each
def test_every_setting_has_a_flag(setting: Setting) -> None:
    text, value = example(setting)
    words = [setting.flag] if setting.is_switch else [setting.flag, text]
    assert parsed(*words) == {setting.attribute: value}


@each
def test_every_setting_has_a_variable(setting: Setting) -> None:
    text, value = example(setting)
    assert from_environment({f"BACKPROP_{setting.name.upper()}": text}) == {setting.attribute: value}


@each
def test_every_setting_but_those_of_a_command_may_stand_in_a_file(setting: Setting, tmp_path: Path) -> None:
    _, value = example(setting)
    path = tmp_path / "run.toml"
    path.write_bytes(as_toml({setting.name: value}))
    if setting.scope is Scope.COMMAND:
        with pytest.raises(UsageError, match=f"{setting.hyphenated} cannot stand in a file"):
            from_toml(path)
    else:
        assert from_toml(path) == {setting.attribute: value}


@each
def test_a_checkpoint_keeps_and_gives_back_the_settings_of_a_run(setting: Setting) -> None:
    _, value = example(setting)
    kept = TrainSettings(**{setting.attribute: value}).kept()
    if setting.scope in KEPT:
        assert kept[setting.name] == value
        assert convert(kept, "here")[setting.attribute] == value
    else:
        assert setting.name not in kept
        with pytest.raises(UsageError, match=f"here: {setting.name} is no setting of a run"):
            convert({setting.name: value}, "here")


@each
def test_the_help_has_every_setting_with_its_default(
    setting: Setting, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    assert f"{setting.flag} " in (shown := help_of_train(capsys))
    assert setting.help_with_default in shown
    default = setting.usual if setting.default is None else setting.default
    if default is not None and default is not False:
        assert setting.help_with_default == f"{setting.help} (default: {default})"


@each
def test_every_value_is_of_the_field_s_type(setting: Setting) -> None:
    hint = get_type_hints(TrainSettings)[setting.attribute]
    for value in (setting.default, example(setting)[1]):
        options = [option for kind in get_args(hint) or (hint,) for option in get_args(kind) or (kind,)]
        assert any(value == one or (isinstance(one, type) and type(value) is one) for one in options)


def test_nothing_but_the_table_has_a_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert parsed() == {}
    given = [setting for setting in SETTINGS.values() if setting.default is not None or setting.usual]
    assert [setting.name for setting in given if "(default" in setting.help] == []


def small() -> Dataset:
    x, t = np.zeros((30, 4), "float32"), np.arange(30) % 3
    return Dataset("small", x, t, x, t)


def test_a_change_in_the_table_is_a_change_everywhere(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a default stands in one place only."""

    def changed(attribute: str, usual: Any) -> None:
        new = {**table.SETTINGS, attribute: replace(SETTINGS[attribute], usual=usual)}
        for module in ("settings", "build", "parser"):
            monkeypatch.setattr(f"backprop.cli.{module}.SETTINGS", MappingProxyType(new))

    changed("hidden", ByChoice("net", {"two-layer": 7}))
    changed("lr", ByChoice("optimizer", {"sgd": 0.7}))
    changed("iters", 77)
    settings = TrainSettings()
    network = build_network(settings, small(), get_backend("cpu"), np.random.default_rng(0))
    assert network.params["W1"].shape == (4, 7)
    assert build_optimizer(settings, 1).lr == 0.7
    assert steps_of(settings, 30) == 77
    known = defaults({"net": "two-layer", "optimizer": "sgd"})
    assert (known["hidden"], known["lr"], known["iters"]) == (7, 0.7, 77)
    shown = help_of_train(capsys)
    for default in ("two-layer 7", "sgd 0.7", "77"):
        assert f"(default: {default})" in shown


def test_defaults_are_those_of_the_classes() -> None:
    """Where a class has one; the rate of SGD is the book's."""
    hidden, lr = SETTINGS["hidden"], SETTINGS["lr"]
    for net, (kind, arguments) in MODELS.items():
        own = signature(kind).parameters
        assert set(arguments.values()) <= set(own)
        if net != "mlp" and (default := own["hidden_size"].default) is not Parameter.empty:
            assert hidden.fallback({"net": net}) == default
    for name, optimizer in OPTIMIZERS.items():
        if name != "sgd":
            assert lr.fallback({"optimizer": name}) == signature(optimizer).parameters["lr"].default


KNOWN: dict[str, tuple[Mapping[str, Any], dict[str, Any]]] = {
    "nothing": ({}, {"no_capture": False, "no_report": False, "iters": 10_000}),
    "epochs": ({"epochs": 3}, {"no_capture": False, "no_report": False}),
    "adamw": (
        {"epochs": 3, "optimizer": "adamw"},
        {"no_capture": False, "no_report": False, "lr": 0.001, "weight_decay": 0.01},
    ),
    "mlp": (
        {"epochs": 3, "net": "mlp"},
        {
            "no_capture": False,
            "no_report": False,
            "activation": "relu",
            "init": "relu",
            "batch_norm": False,
            "dropout": 0.0,
        },
    ),
    "deep-conv": (
        {"epochs": 3, "net": "deep-conv"},
        {"no_capture": False, "no_report": False, "hidden": 50, "dropout": 0.5},
    ),
}


@pytest.mark.parametrize(("kept", "known"), KNOWN.values(), ids=KNOWN)
def test_what_a_run_was_not_given(kept: Mapping[str, Any], known: dict[str, Any]) -> None:
    assert defaults(kept) == known


def test_every_setting_of_a_network_is_one_of_a_model() -> None:
    of_networks = {s.name for s in SETTINGS.values() if s.group is table.NETWORK}
    assert {name for model in MODELS.values() for name in model.arguments} | {"net"} == of_networks


def test_settings_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        TrainSettings().seed = 1  # type: ignore[misc]


def test_a_network_is_built_from_settings_alone() -> None:
    settings = TrainSettings(hidden=5, init="he", weight_decay=0.1)
    network = build_network(settings, small(), get_backend("cpu"), np.random.default_rng(0))
    expected = TwoLayerNet(4, 5, 3, "he", rng=np.random.default_rng(0))
    np.testing.assert_array_equal(network.params["W1"], expected.params["W1"])
    assert network.weight_decay == 0.1
