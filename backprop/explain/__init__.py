"""What a network does with one batch, step by step, as a page and as text."""

from .explanation import Explanation, explain
from .page import page_of
from .text import text_of

__all__ = ["Explanation", "explain", "page_of", "text_of"]
