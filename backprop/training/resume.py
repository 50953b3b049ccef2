"""The training saved in a checkpoint, and whether another training can resume from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..backends import HostArray
from ..optimizers import Optimizer
from ..saving.checkpoint import Checkpoint, CheckpointError
from ..saving.history import Metrics, history_of
from ..saving.optimizer_config import optimizer_config, setting_differences

UNREADABLE = (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)
"""Errors raised while reading a description that `Training.checkpoint` did not write."""


@dataclass(frozen=True)
class SavedTraining:
    """A training as saved in a checkpoint."""

    path: str
    history: list[Metrics]
    step: int
    """The number of steps done."""
    position: int
    """The number of steps done in the unfinished epoch."""
    optimizer_steps: int
    seconds: float
    generator: Any
    """The state of the random generator before it drew the epoch's order."""
    shards: int
    config: dict[str, Any]
    """Settings that must be the same to resume: the optimizer's class, and those of the sample order."""
    validation_digest: str | None
    machine: dict[str, Any]
    changed_settings: Mapping[str, tuple[str, str]]
    """The optimizer's settings that differ: the value here, and the one in the checkpoint."""
    results: list[HostArray]
    """The losses of the epoch's steps and, if the loss classifies, the counts of correct samples."""

    @classmethod
    def read(
        cls, checkpoint: Checkpoint, path: str, config: Mapping[str, Any], optimizer: Optimizer
    ) -> SavedTraining:
        """Read a checkpoint for a training with this config and optimizer; raises `CheckpointError`."""
        try:
            state, its_optimizer = checkpoint.description["training"], checkpoint.description["optimizer"]
            its = {**state, "optimizer": its_optimizer["class"]}
            return cls(
                path=path,
                history=history_of(checkpoint),
                step=int(state["step"]),
                position=int(state["position"]),
                optimizer_steps=int(its_optimizer["steps"]),
                seconds=float(state["seconds"]),
                generator=state["generator"],
                shards=int(state.get("shards", 1)),
                config={name: its[name] for name in config},
                validation_digest=state.get("validation"),
                machine=dict(checkpoint.description.get("machine", {})),
                changed_settings=setting_differences(optimizer_config(optimizer), its_optimizer),
                results=[
                    values for name, values in sorted(checkpoint.arrays.items()) if name.startswith("epoch.")
                ],
            )
        except UNREADABLE as error:
            raise CheckpointError(f"{path} is not from a training: {error!r} in its description") from None

    def check_config(self, config: Mapping[str, Any], validation_digest: str | None) -> None:
        """Raise a `CheckpointError` unless the run had the same config and validation data."""
        its = self.config
        wrong = [
            f"{name} {config[name]} here, {its[name]} there" for name in config if config[name] != its[name]
        ]
        if wrong:
            hint = ""
            if self.validation_digest and validation_digest is None:
                hint = "; that run had validation data: give fit(…, validation=…)"
            raise CheckpointError(f"{self.path} is from another run: {', '.join(wrong)}{hint}")
        if self.validation_digest and validation_digest and self.validation_digest != validation_digest:
            raise CheckpointError(
                f"{self.path} is from a run with other validation data: give the same data, or for a share "
                "the same rng"
            )

    def check_place(self, per_epoch: int, total: int, results: int) -> None:
        """Raise a `CheckpointError` unless the step is within `total` and the epoch has its results."""
        within = 0 <= self.position <= min(self.step, self.optimizer_steps, per_epoch)
        shapes = [(self.position,)] * results
        if not within or (self.position and [values.shape for values in self.results] != shapes):
            raise CheckpointError(
                f"{self.path} is not from a training: it does not have {self.position} steps of an epoch"
            )
        if self.step > total:
            raise CheckpointError(f"{self.path} is at step {self.step:,}, past the {total:,} requested")

    def differences(self, machine: Mapping[str, Any], optimizer: Optimizer) -> Iterator[str]:
        """Differences in machine and settings, which may make the resumed run differ in the last bits."""
        here = machine if self.machine else {}
        for name in {**here, **self.machine}:
            mine, its = here.get(name, "unknown"), self.machine.get(name, "unknown")
            if mine != its:
                yield f"{name} {mine} here, {its} there"
        if not self.machine:
            yield "it does not say which machine computed it"
        if self.changed_settings:
            changes = [
                f"{name} {mine} here, {its} there" for name, (mine, its) in self.changed_settings.items()
            ]
            stretched = callable(optimizer.lr) and "lr" in self.changed_settings
            why = ", for instance because a schedule was stretched to more steps" if stretched else ""
            rate = f"the rate of step {self.step + 1:,} is {optimizer.rate(self.step + 1):.6g}"
            yield f"the optimizer has {', '.join(changes)}{why}; {rate}"
