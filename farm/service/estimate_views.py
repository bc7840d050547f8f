"""Views of estimates: what a campaign that is not submitted yet will take."""

from farm.service.views import Checked, View


class PoolShare(View):
    """What the workers of a pool give a campaign: their seconds, loads among them, and what these
    cost. `money` is None without prices in the fleet file.
    """

    workers: int
    seconds: float
    money: float | None


class FleetEstimate(View):
    """The same of a whole fleet, of which `starting` workers are not there yet, and when the
    campaign is done then, `seconds` from now: in nine of ten cases from `eta_low` to `eta_high`.
    """

    workers: int
    starting: int
    seconds: float
    eta: float
    eta_low: float
    eta_high: float
    given_s: float
    money: float | None
    pools: dict[str, PoolShare]


class Bind(View):
    """A limit that keeps a campaign from being done, or from being done sooner."""

    rule: str
    text: str


class Estimate(Checked):
    """What a campaign would take if it were submitted now.

    - `reused` renders are in the project already; of many renders `sampled` stand for all.
    - `basis` says what tells the pace: `shape`, `model`, or `none`; `attempts` how many tell it.
    - `device_s` are seconds for which devices paint. `bytes` are those of its pictures.
    - `now` is with the workers that are there, `planned` with as many as were asked about. Either
      is None if nothing tells the pace, or if no worker may paint it.
    """

    campaign: str
    project: str
    renders: int
    proofs: int
    reused: int
    sampled: int
    to_paint: int
    megapixel_steps: float
    basis: str
    attempts: int
    device_s: float | None
    budget_s: float | None
    budget_money: float | None
    bytes: int | None
    now: FleetEstimate | None
    planned: FleetEstimate | None
    binds: list[Bind]


class Probe(View):
    """The campaign that paints the first renders of another one, before that is submitted."""

    campaign: str
    project: str
    renders: int
    created: bool
