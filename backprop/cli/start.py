"""`backprop train --from RUN`: check that its network fits the data and did not train on held-out samples."""

from __future__ import annotations

from ..datasets import Dataset, Fingerprint
from ..lookup import UsageError
from ..networks.network import Network
from ..saving.checkpoint import Checkpoint, followed
from ..saving.run_data import BY_CLASS
from .fit import misfit
from .settings import TrainSettings


def check_takes(network: Network, data: Dataset, path: str) -> None:
    """Raise a `UsageError` unless the network takes the data's samples and has an output for every class."""
    if why := misfit(network, data.x_train, data.t_train):
        raise UsageError(f"--from {path} does not fit {data.name}: {why}")


def step_of(path: str, checkpoint: Checkpoint) -> int | None:
    """The step of a checkpoint; None if it only holds a network."""
    with followed(path):
        step = checkpoint.description.get("training", {}).get("step")
        return None if step is None else int(step)


def leak_of(settings: TrainSettings, start: Checkpoint, data: Fingerprint) -> str:
    """A warning if the run learned from samples that are held out here; "" if not, or if unknown.

    The run itself may have done so, or one that it started from.
    """
    name = settings.start_from
    assert name is not None
    with followed(name):
        description = start.description
        if "training" not in description or ("run" in description and not data.matches(description)):
            return ""
        its = description.get("run", {}).get("settings", {})
        split = its.get("validation"), its.get("seed")
        by_class = description.get("split") == BY_CLASS
        learnt_from_all = bool(description.get("learnt_from_all")) or split[0] is None
    if learnt_from_all:
        return (
            f"{name}, or a run it started from, has learned from the samples held out here: these figures "
            "are too good"
        )
    if by_class and split == (settings.validation, settings.seed):
        return ""
    return (
        f"{name} has learned from some of the samples held out here, so these figures are too good; give "
        f"--validation {split[0]} --seed {split[1]}"
    )
