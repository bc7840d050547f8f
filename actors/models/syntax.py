"""Reads Python text one thread at a time.

In CPython 3.11 two threads that turn text into `ast` objects at once share a counter, and one of
them may fail with "AST constructor recursion depth mismatch" (github.com/python/cpython/issues/
106905). A render that failed of it would be painted again for nothing.
"""

import ast
import threading
from typing import Any

_ONE_AT_A_TIME = threading.Lock()


def parse(text: str) -> ast.Module:
    """Raises SyntaxError."""
    with _ONE_AT_A_TIME:
        return ast.parse(text)


def literal(text: str) -> Any:
    """The plain value that a text stands for. Raises SyntaxError or ValueError."""
    with _ONE_AT_A_TIME:
        return ast.literal_eval(text)
