"""The part of the client that is for operators."""

from urllib.parse import quote

from farm.client.transport import Transport
from farm.service.operation_views import FarmDiagnosis, LogEvent
from storage.errors import NotFound


class OperationCalls:
    """Calls of operators, for a class that has the transport."""

    _http: Transport
    project: str

    def diagnosis(self) -> FarmDiagnosis:
        """What the farm finds when it looks at itself: leader, database, outputs, workers."""
        return self._http.get(FarmDiagnosis, "doctor")

    def logs(
        self, about: str | None = None, *, after: float | None = None, limit: int = 100
    ) -> list[LogEvent]:
        """The latest events of the logs, the oldest first, about a campaign of the project, about
        a worker, or all; with `after`, only those since that time.
        """
        params = {"limit": str(limit)} | ({} if after is None else {"after": str(after)})
        if about is not None:
            path = f"campaigns/{quote(about, safe='')}/logs"
            try:
                of_project = params | {"project": self.project}
                return self._http.get(list[LogEvent], path, of_project)
            except NotFound:
                params["worker"] = about
        return self._http.get(list[LogEvent], "logs", params)
