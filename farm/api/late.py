"""Routes that the framework takes apart when they are first asked for, not when a farm starts."""

from collections.abc import Callable
from typing import Any

from fastapi.routing import APIRoute
from starlette.routing import compile_path, get_name


class LateRoute(APIRoute):
    """A route of which only the address is known at first. To take its signature apart costs the
    framework milliseconds, a farm has two hundred routes, and a command asks for a few of them.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        self.path, self.endpoint = path, endpoint
        self.name = options.get("name") or get_name(endpoint)
        self.methods = set(options["methods"])
        self.path_regex, self.path_format, self.param_convertors = compile_path(path)
        self._options: dict[str, Any] | None = options

    def __getattr__(self, name: str) -> Any:
        """Whatever else is asked about a route is there once the framework has made it."""
        options = self.__dict__.pop("_options", None)
        if options is None:
            raise AttributeError(f"{type(self).__name__} has no {name}")
        APIRoute.__init__(self, self.path, self.endpoint, **options)
        return getattr(self, name)
