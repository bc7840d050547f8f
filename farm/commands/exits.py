"""How a command ends: its exit code by the kind of error, and the error as JSON if that was asked
for.
"""

import json
from enum import IntEnum
from typing import Any

from farm.documents.document import DocumentError, problem_json
from storage.errors import (
    Conflict,
    DatabaseAway,
    DatabaseError,
    NotAllowed,
    NotFound,
    RequestError,
    Unreachable,
)


class ExitCode(IntEnum):
    """The exit codes of every command but `reproduce`, which answers with its verdict."""

    FINE = 0
    FAILED = 1
    BAD_REQUEST = 2
    CONFLICT = 3
    NOT_FOUND = 4
    NOT_ALLOWED = 5
    UNREACHABLE = 6
    TIMED_OUT = 124
    INTERRUPTED = 130


WORDS = {
    ExitCode.FINE: "fine",
    ExitCode.FAILED: "the work failed",
    ExitCode.BAD_REQUEST: "the request was wrong",
    ExitCode.CONFLICT: "it conflicts with what is there",
    ExitCode.NOT_FOUND: "not found",
    ExitCode.NOT_ALLOWED: "not allowed",
    ExitCode.UNREACHABLE: "the farm or its database cannot be reached",
    ExitCode.TIMED_OUT: "--timeout passed",
    ExitCode.INTERRUPTED: "Ctrl-C",
}

# The first that fits counts: classes stand before those that they derive from.
_KINDS: tuple[tuple[type[Exception], ExitCode], ...] = (
    (NotFound, ExitCode.NOT_FOUND),
    (Conflict, ExitCode.CONFLICT),
    (NotAllowed, ExitCode.NOT_ALLOWED),
    (RequestError, ExitCode.BAD_REQUEST),
    (Unreachable, ExitCode.UNREACHABLE),
    (DatabaseAway, ExitCode.UNREACHABLE),
    (DatabaseError, ExitCode.BAD_REQUEST),
)


def exit_code_of(error: Exception) -> ExitCode:
    """The exit code that an error ends a command with."""
    if getattr(error, "code", None) == DatabaseAway.code:  # said by a farm that is there
        return ExitCode.UNREACHABLE
    return next((code for kind, code in _KINDS if isinstance(error, kind)), ExitCode.FAILED)


def worst(codes: list[int]) -> int:
    """The exit code of several orders: the highest of theirs."""
    return max(codes, default=ExitCode.FINE)


def error_json(
    error: Exception, *, exit_code: int | None = None, code: str | None = None
) -> dict[str, Any]:
    """An error as `--json` prints it: the API's code, the sentence, and each place that is
    wrong.
    """
    problems = error.problems if isinstance(error, DocumentError) else []
    return {
        "code": code or getattr(error, "code", "fault"),
        "detail": str(error),
        "problems": [problem_json(problem) for problem in problems],
        "exit_code": int(exit_code_of(error) if exit_code is None else exit_code),
    }


def error_line(error: Exception, *, exit_code: int | None = None, code: str | None = None) -> str:
    """An error as one line of JSON."""
    told = error_json(error, exit_code=exit_code, code=code)
    return json.dumps(told, ensure_ascii=False) + "\n"
