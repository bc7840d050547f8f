"""Whether the farm can do its work: what a load balancer asks before it sends somebody here."""

from farm.service.asking import Asking
from farm.service.farm_views import Ready
from storage.errors import NotFound, SeedbedError
from storage.store import Outputs
from storage.watching import Watching

PATIENCE_S = 3.0
_ANY_KEY = "ready"  # no picture has it: that it is not there is an answer


class Readiness:
    """Looks whether the database and the outputs answer, and whether a dispatcher leads.

    The API is ready without a leader: what it shows and takes waits for none, and during a
    take-over there is none for seconds.
    """

    def __init__(
        self, watching: Watching, outputs: Outputs, patience_s: float = PATIENCE_S
    ) -> None:
        self._watching = watching
        self._outputs = outputs
        self._database = Asking(self._look_for_leader, patience_s)
        self._store = Asking(self._look_at_outputs, patience_s)

    def look(self) -> Ready:
        try:
            leader, database = self._database.answer(), True
        except (SeedbedError, TimeoutError):
            leader, database = False, False
        try:
            outputs = self._store.answer()
        except (SeedbedError, TimeoutError):
            outputs = False
        return Ready(ready=database and outputs, database=database, outputs=outputs, leader=leader)

    def _look_for_leader(self) -> bool:
        return self._watching.dispatcher() is not None

    def _look_at_outputs(self) -> bool:
        try:
            self._outputs.open(_ANY_KEY).close()
        except NotFound:
            return True
        return True
