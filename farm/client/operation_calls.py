"""The part of the client that is for operators."""

from farm.client.transport import Transport
from farm.service.operation_views import FarmDiagnosis


class OperationCalls:
    """Calls of operators, for a class that has the transport."""

    _http: Transport
    project: str

    def diagnosis(self) -> FarmDiagnosis:
        """What the farm finds when it looks at itself: leader, database, outputs, workers."""
        return self._http.get(FarmDiagnosis, "doctor")
