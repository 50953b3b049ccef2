"""What happens in every layer on one batch."""

from .batch import Trace
from .record import NodeTrace
from .recorder import trace

__all__ = ["NodeTrace", "Trace", "trace"]
