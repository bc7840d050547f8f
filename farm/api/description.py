"""The application's description of itself, in the words of OpenAPI."""

from typing import Any

from fastapi import FastAPI

from farm.api.errors import PROBLEM_JSON
from farm.api.idempotency import PARAMETER


class Application(FastAPI):
    """An application that says of its refusals of which kind they are, and that orders may have
    keys.
    """

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            described = super().openapi()
            for operations in described["paths"].values():
                for method, operation in operations.items():
                    _name_refusals(operation["responses"])
                    if method == "post":
                        operation.setdefault("parameters", []).append(PARAMETER)
        return super().openapi()


def _name_refusals(responses: dict[str, Any]) -> None:
    """The framework describes all answers of a route as of the kind of the good one."""
    for status in ("4XX", "5XX"):
        content = responses[status]["content"]
        responses[status]["content"] = {PROBLEM_JSON: next(iter(content.values()))}
