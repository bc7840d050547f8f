"""Everything that an operator may want otherwise: change it here, then `make dashboards`."""

from dataclasses import dataclass

from farm.scheduling.alerts import Thresholds


@dataclass(frozen=True, kw_only=True)
class Config(Thresholds):
    """The names and thresholds of dashboards, rules and alerts. Times in seconds. Thresholds that
    `farm top` knows too are in `farm.scheduling.alerts`.
    """

    job: str = "seedbed"
    """The scrape job whose targets are the API processes of one farm."""
    runbooks: str = "https://runbooks.example/seedbed/"
    """Where docs/runbooks can be read; an alert's name and .md follow."""
    grafana: str = "https://grafana.example/d/"
    """Where the dashboards are; an uid follows."""
    farm: str = "http://127.0.0.1:8600/"
    """Where the farm's own pages are."""
    objective: float = 0.995
    """The part of claimed renders that must end well."""
    queue_wait_s: int = 600
    """A campaign that may be painted waits for longer only if something is wrong."""
    database_s: float = 0.25
    """The mean time of a statement, and those that follow: slower is a fault."""
    storage_s: float = 5.0
    """Of writing one file."""
    round_s: float = 2.0
    """Of a round of the dispatcher, without the time for which it waits for results."""
    answer_s: float = 2.0
    """Of the API's answers: 95 of 100 are faster."""
    failed_starts: int = 2
    least_renders: int = 20
    """Fewer renders in an hour say nothing about an error rate."""


CONFIG = Config()
