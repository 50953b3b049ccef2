"""Convert optimizers and schedules to JSON values, and back."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop import SGD, Adam, Momentum, Optimizer, RMSprop, Training, TwoLayerNet
from backprop.cli import main
from backprop.saving import optimizer_from_config, read_checkpoint, write_checkpoint
from backprop.saving.checkpoint import Checkpoint
from backprop.saving.optimizer_config import (
    OPTIMIZER_KINDS,
    SCHEDULE_KINDS,
    UnknownOptimizerError,
    optimizer_config,
    optimizer_text,
    setting_differences,
)
from backprop.schedules import Constant, Cosine, Step, WarmUp

from ..optimizers.cases import MAKERS
from .test_network_config import ODD, changed, places

OLD_RUN = Path(__file__).parents[1] / "data" / "run"
SCHEDULES = [Constant(0.1), Step(0.1, 3, 0.5), Cosine(0.1, 20, 0.01), WarmUp(WarmUp(Cosine(0.1, 9), 2), 5)]


def through_json(config: dict[str, Any]) -> dict[str, Any]:
    back: dict[str, Any] = json.loads(json.dumps(config, allow_nan=False))
    assert back == config
    return back


def from_before(optimizer: Optimizer) -> dict[str, Any]:
    """The `repr` that older checkpoints hold."""
    return {"class": type(optimizer).__name__, "settings": repr(optimizer), "steps": 7}


@pytest.mark.parametrize("lr", [0.1, *SCHEDULES], ids=repr)
@pytest.mark.parametrize("max_norm", [None, 0.5])
@pytest.mark.parametrize("kind", MAKERS)
def test_every_optimizer_is_rebuilt(kind: type[Optimizer], max_norm: float | None, lr: Any) -> None:
    optimizer = MAKERS[kind](max_norm=max_norm)
    optimizer.lr = lr
    optimizer.update({"W": np.ones(2)}, {"W": np.ones(2)})
    for config in (through_json({**optimizer_config(optimizer), "steps": 7}), from_before(optimizer)):
        again = optimizer_from_config(config)
        assert type(again) is kind
        assert repr(again) == repr(optimizer) == optimizer_text(config)
        assert [again.scalars(step) for step in (1, 4, 30)] == [
            optimizer.scalars(step) for step in (1, 4, 30)
        ]
        assert (again.steps, again.slots) == (0, {})
        assert setting_differences(optimizer_config(optimizer), config) == {}


def test_the_registry_is_closed() -> None:
    assert set(OPTIMIZER_KINDS.values()) == set(MAKERS)
    assert set(SCHEDULE_KINDS.values()) == {type(schedule) for schedule in SCHEDULES}


def test_a_schedule_is_nested() -> None:
    assert optimizer_config(SGD(WarmUp(Cosine(0.1, 20), 5))) == {
        "class": "SGD",
        "settings": {
            "lr": {
                "class": "WarmUp",
                "settings": {
                    "after": {"class": "Cosine", "settings": {"lr": 0.1, "steps": 20, "lowest": 0.0}},
                    "steps": 5,
                },
            },
            "max_norm": None,
        },
    }


def test_numpy_numbers_become_plain() -> None:
    optimizer = SGD(Step(np.float32(0.5), np.int64(3)))  # type: ignore[arg-type]
    optimizer.max_norm = np.float64(2.0)
    settings = through_json(optimizer_config(optimizer))["settings"]
    assert settings == {
        "lr": {"class": "Step", "settings": {"lr": 0.5, "every": 3, "factor": 0.1}},
        "max_norm": 2.0,
    }


class Own(Momentum):
    """A custom optimizer with attributes besides its slots."""

    def __init__(self, beta: float = 0.9) -> None:
        super().__init__(0.1)
        self.beta, self.betas, self.table, self.limit = beta, (0.9, 0.99), np.ones(2), float("inf")


class Falling:
    """A custom schedule."""

    def __call__(self, step: int) -> float:
        return 0.1 / step


def falling(start: float, step: int) -> float:
    return start / step


def test_a_custom_optimizer_is_named_and_not_rebuilt() -> None:
    config = through_json(optimizer_config(Own()))
    assert (config["class"], config["own"]) == ("Own", True)
    assert config["settings"]["beta"] == 0.9
    message = r"^Own is not an optimizer of backprop; build it yourself and give the optimizer to fit\("
    for known in (config, from_before(Own())):
        with pytest.raises(UnknownOptimizerError, match=message):
            optimizer_from_config(known)
        assert optimizer_text(known) == repr(Own())
        assert setting_differences(optimizer_config(Own()), known) == {}
        assert len(setting_differences(optimizer_config(Own(0.8)), known)) == 1


@pytest.mark.parametrize(
    ("schedule", "name"),
    [(Falling(), "Falling"), (partial(falling, 0.1), "partial"), (lambda step: 0.1, "function")],
)
def test_a_custom_schedule_is_named_and_not_rebuilt(schedule: Any, name: str) -> None:
    for lr in (schedule, WarmUp(schedule, 5)):
        config = through_json(optimizer_config(SGD(lr)))
        with pytest.raises(
            UnknownOptimizerError, match=f"^{name} is not a schedule of backprop; build it yourself"
        ):
            optimizer_from_config(config)
        assert " at 0x" not in json.dumps(config)
        assert setting_differences(optimizer_config(SGD(lr)), config) == {}
        assert "lr" in setting_differences(optimizer_config(SGD(0.1)), config)
        assert optimizer_text(config) == optimizer_text(from_before(SGD(lr)))


def test_arguments_of_a_custom_schedule_are_compared() -> None:
    one, other = (optimizer_config(SGD(partial(falling, start))) for start in (0.1, 0.2))
    assert list(setting_differences(one, other)) == ["lr"]


def test_a_class_with_the_name_of_a_built_in_one_is_custom() -> None:
    same = type("Adam", (Adam,), {})()
    assert optimizer_config(same)["own"]
    with pytest.raises(UnknownOptimizerError, match="Adam is not an optimizer of backprop"):
        optimizer_from_config(optimizer_config(same))


def test_differences_are_named() -> None:
    ours, theirs = (
        optimizer_config(RMSprop(0.1, 0.9)),
        optimizer_config(RMSprop(Constant(0.1), 0.9, epsilon=1e-3)),
    )
    assert setting_differences(ours, theirs) == {
        "lr": ("0.1", "Constant(lr=0.1)"),
        "epsilon": ("1e-07", "0.001"),
    }
    del theirs["settings"]["epsilon"]
    theirs["settings"]["beta"] = 0.5
    assert setting_differences(ours, theirs) == {
        "lr": ("0.1", "Constant(lr=0.1)"),
        "epsilon": ("1e-07", "not set"),
        "beta": ("not set", "0.5"),
    }
    assert setting_differences(ours, {"class": "RMSprop", "settings": "RMSprop(0.1)"}) == {
        "settings": (repr(RMSprop(0.1, 0.9)), "RMSprop(0.1)")
    }


@pytest.mark.parametrize(
    ("config", "error", "message"),
    [
        ({"class": "os.system", "settings": {}}, UnknownOptimizerError, "os.system is not an optimizer"),
        ({"class": "Cosine", "settings": {}}, UnknownOptimizerError, "Cosine is not an optimizer"),
        ({"class": "SGD", "settings": {"lr": {"class": "SGD", "settings": {}}}}, UnknownOptimizerError, "a schedule"),
        ({"class": "x", "settings": "__import__('os')"}, UnknownOptimizerError, "__import__ is|x is"),
        ({"class": "x", "settings": "os.system(a=1)"}, UnknownOptimizerError, "^x is not an optimizer"),
        ({"class": "x", "settings": "5"}, UnknownOptimizerError, "^x is not an optimizer"),
        ({"class": "x", "settings": "SGD(lr=" + "-" * 50_000 + "1)"}, UnknownOptimizerError, "^x is not an optimizer"),
        ({"class": "x", "settings": "SGD(lr=" + "-" * 1900 + "1)"}, UnknownOptimizerError, "^x is not an optimizer"),
        ({"class": "SGD", "settings": {"momentum": 0.9}}, ValueError, "optimizer cannot be interpreted: .*momentum"),
        ({"class": "SGD", "settings": {"lr": "a lot"}}, ValueError, "optimizer cannot be interpreted: .*real number"),
        ({"class": "SGD", "settings": {"lr": -1.0}}, ValueError, "SGD: expected a finite learning rate"),
        ({"class": "SGD", "settings": [1]}, ValueError, "optimizer cannot be interpreted"),
        ({"class": ["SGD"], "settings": {}}, ValueError, "optimizer cannot be interpreted: unhashable"),
    ],
)  # fmt: skip
def test_invalid_configs(config: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        optimizer_from_config(config)


def test_any_damage_to_a_config_is_a_value_error() -> None:
    good, refusals = {**optimizer_config(Adam(WarmUp(Cosine(0.1, 9), 2))), "steps": 3}, 0
    for place in places(good):
        for value in [*ODD, 10**400]:
            try:
                optimizer_from_config(changed(Checkpoint(good, {}), place, value).description)
            except ValueError:
                refusals += 1
    assert refusals > 50


def test_the_optimizer_of_an_old_run() -> None:
    """Its checkpoint holds a `repr`."""
    description = read_checkpoint(OLD_RUN / "best.safetensors").description["optimizer"]
    assert isinstance(description["settings"], str)
    assert repr(optimizer_from_config(description)) == description["settings"]


def test_inspect_shows_the_optimizer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    optimizer, rng = Adam(Cosine(0.01, 8)), np.random.default_rng(0)
    x, t = rng.random((40, 4), "float32"), rng.integers(0, 3, 40)
    run = Training(TwoLayerNet(4, 3, 3, rng=0), x, t, optimizer=optimizer, epochs=2, batch_size=10, rng=0)
    next(run)
    write_checkpoint(tmp_path / "a.safetensors", run.checkpoint())
    for path, expected in (
        (tmp_path / "a.safetensors", repr(optimizer)),
        (
            OLD_RUN / "best.safetensors",
            read_checkpoint(OLD_RUN / "best.safetensors").description["optimizer"]["settings"],
        ),
    ):
        assert main(["inspect", str(path)]) == 0
        shown = " ".join(capsys.readouterr().out.split())
        assert f"optimizer {expected} " in shown
    assert main(["inspect", "--json", str(tmp_path / "a.safetensors")]) == 0
    assert json.loads(capsys.readouterr().out)["optimizer"] == {**optimizer_config(optimizer), "steps": 4}
