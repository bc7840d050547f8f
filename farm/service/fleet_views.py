"""What the API says of the fleet. Times are seconds since 1970."""

from farm.service.event_views import Event
from farm.service.views import View


class Worker(View):
    """A worker as the dispatcher last saw it."""

    name: str
    state: str
    pool: str | None
    node: str | None
    node_id: str | None
    device: str | None
    numerics_class: str | None
    warm: str | None
    loaded: tuple[str, ...] = ()
    blamed: list[int]
    quarantined_until: float | None
    quarantined_why: str | None


class Fleet(View):
    """The orders about the fleet, and the number of workers in each state."""

    floor: int | None
    ceiling: int | None
    frozen: bool
    draining: list[str]
    orders: list[str]
    workers: dict[str, int]


class UnderWay(View):
    """A campaign of which a worker has chunks now, with the renders in them."""

    project: str
    campaign: str
    stage: str
    renders: int


class WorkerAtWork(Worker):
    """A worker with the names of the models that it has warm, and what it paints."""

    models: list[str]
    paints: list[UnderWay]


class DeviceUse(View):
    """The seconds for which workers of a pool had chunks, by use; without what is under way."""

    painted_s: float
    padding_s: float
    load_s: float
    retries_s: float
    stopped_s: float
    lost_s: float
    idle_s: float


class FleetOverview(View):
    """The fleet at a moment: who leads it, its workers, how the time of each pool was used
    `since` then, and the last changes of it, the newest first.
    """

    leader: str | None
    workers: list[WorkerAtWork]
    since: float
    use: dict[str, DeviceUse]
    changes: list[Event]
