"""What can go wrong with a backend, and with recording a step on it."""

from __future__ import annotations


class UnknownDeviceError(ValueError):
    """No backend has the name that was asked for."""


class BackendUnavailableError(RuntimeError):
    """A backend cannot be used here; one line gives the cause and the cure."""

    def __init__(self, name: str, cause: str, cure: str) -> None:
        super().__init__(f"backend {name!r} cannot be used: {cause}; {cure}")
        self.name, self.cause, self.cure = name, cause, cure


class CaptureError(RuntimeError):
    """A function does something that a recording cannot repeat."""


class CaptureWarning(UserWarning):
    """A function cannot be recorded and is called each time, which is slower; the text gives the reason."""


class MPIError(RuntimeError):
    """The processes that were started together cannot talk to each other; one line gives cause and cure."""

    def __init__(self, message: str, rank: int = 0) -> None:
        super().__init__(message)
        self.rank = rank
        """The number that the launcher has given to this process."""


def first_line(error: Exception) -> str:
    """The first line of an error's text, or its class where it has none."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
