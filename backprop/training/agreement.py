"""Whether the processes that train together were given the same: checked before the first step."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from typing import Any

from ..backends import Communicator, HostArray


class ProcessesWarning(UserWarning):
    """The result of several processes may differ from that of one; the text gives the reason."""


def check_alike(communicator: Communicator, facts: Mapping[str, Any], machine: Mapping[str, Any]) -> None:
    """Raise `ValueError` in every process unless all have the same facts; warn of different machines."""
    everywhere = communicator.gather(dict(facts))
    for rank, its in enumerate(everywhere):
        wrong = [
            f"{name} {everywhere[0].get(name)} in process 0, {its.get(name)} in process {rank}"
            for name in {**everywhere[0], **its}
            if everywhere[0].get(name) != its.get(name)
        ]
        if wrong:
            raise ValueError(f"expected the same training in all processes, got {'; '.join(wrong)}")
    machines = communicator.gather(dict(machine))
    unlike = {name for its in machines for name in its if its.get(name) != machines[0].get(name)}
    if unlike and communicator.rank == 0:
        warnings.warn(
            f"the processes differ in {', '.join(sorted(unlike))}: another number of them may give other "
            "last bits",
            ProcessesWarning,
            stacklevel=4,
        )


def digest(*arrays: HostArray) -> str:
    """A short digest of arrays."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(f"{array.dtype.str} {array.shape}".encode())
        found.update(array.tobytes())
    return found.hexdigest()[:12]
