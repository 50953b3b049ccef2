"""What happens in every layer on one batch."""

from .record import NodeTrace

__all__ = ["NodeTrace"]
