"""The dispatcher: takes chunks from the queue, gives them to workers, and writes down what became
of them.

It can be killed at any moment: chunks, leases, outcomes and the ledger (how much each campaign was
given, how long painting takes, which workers fail) are in the job database, and workers keep each
result until it is acknowledged. Three things live in memory alone, and the next dispatcher starts
without them: which workers could not load a model (`farm.dispatch.loading`), since when workers
are idle (`farm.dispatch.autoscaler`), and caches.
While the database cannot be reached, results are kept in memory until it is back.
`farm.dispatch.process` is the process that it runs in.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial

from actors.fleet.fleet import Fleet
from farm.dispatch.anchoring import Anchoring
from farm.dispatch.autoscaler import Autoscaler
from farm.dispatch.bookkeeping import Bookkeeping
from farm.dispatch.explaining import Explaining
from farm.dispatch.figures import Meters, figures_of
from farm.dispatch.finishing import Finishing
from farm.dispatch.loading import Loading
from farm.dispatch.numerics import Judge
from farm.dispatch.receiving import Receiving
from farm.dispatch.replanning import Replanning
from farm.dispatch.roster import Roster, free_worker, published, roster_of
from farm.dispatch.sending import Sending
from farm.dispatch.settled_log import log_settled
from farm.scheduling.assignment import fill
from farm.scheduling.situation import Claimed, Situation
from farm.scheduling.spending import NO_PRICES, Prices, priced_snapshot
from farm.scheduling.values import NO_QUOTAS, Assignment
from storage.campaigns import Campaigns
from storage.canaries import Canaries
from storage.errors import DatabaseAway
from storage.layouts import Layouts
from storage.ledgers import Ledgers
from storage.months import NO_MONTHS, MonthUse
from storage.queue import HEARTBEAT_S, Queue
from storage.reuse import Reuse
from storage.rows import Chunk, OpenCampaign, Settlement, Snapshot
from storage.settling import Settling
from storage.watching import Watching

COLLECT_S = 0.25
MANIFEST_S = 120.0  # that of a million renders takes half a minute


log = logging.getLogger(__name__)


class Dispatcher:
    """One session of dispatching. `tick` is the whole of its work."""

    def __init__(
        self,
        *,
        session: int,
        queue: Queue,
        settling: Settling,
        campaigns: Campaigns,
        watching: Watching,
        canaries: Canaries,
        reuse: Reuse,
        ledgers: Ledgers,
        layouts: Layouts,
        fleet: Fleet,
        autoscaler: Autoscaler,
        finishing: Finishing,
        replanning: Replanning,
        weights: Mapping[str, float],
        quotas: Mapping[str, int] = NO_QUOTAS,
        spent_months: Mapping[str, MonthUse] = NO_MONTHS,
        prices: Prices = NO_PRICES,
        meters: Meters | None = None,
    ) -> None:
        self._session = session
        self._queue, self._campaigns, self._watching = queue, campaigns, watching
        self._reuse = reuse
        self._fleet, self._autoscaler = fleet, autoscaler
        self._weights, self._quotas, self._prices = weights, quotas, prices
        self._spent_months = spent_months
        self._meters = meters or Meters()
        judge, self._loading = Judge(canaries), Loading()
        self._sending = Sending(
            fleet=fleet, campaigns=campaigns, judge=judge, reuse=reuse, layouts=layouts
        )
        self._receiving = Receiving(
            session=session,
            settling=settling,
            judge=judge,
            loading=self._loading,
            sending=self._sending,
            anchoring=Anchoring(layouts, campaigns),
            prices=prices,
        )
        self._explaining = Explaining(campaigns)
        self._finishing, self._replanning = finishing, replanning
        self._known: dict[int, OpenCampaign] = {}
        """The campaigns that are open, or were when chunks were sent that are still under way."""
        self._books = Bookkeeping(ledgers, weights)
        self._next_heartbeat = self._next_health = 0.0
        self._database_was_away = False

    def adopt(self) -> None:
        """Take over from a dispatcher that has ended: wait for what its workers paint, and put
        back what none of them has.
        """
        self._books.take_over()
        freed = self._queue.release(self._session, keep=self._fleet.workers)
        leases = self._queue.leases(self._session)
        for chunk in leases:
            self._sending.inherit(chunk)
        self._finishing.touch(self._campaigns.ended_unheard(self._session, MANIFEST_S))
        log.info(
            "Took over %d chunks and put %d back. action=adopt session=%d",
            len(leases), freed, self._session,
        )  # fmt: skip

    def tick(self, now: float) -> None:
        """One round. `now` is this process's own clock, for its pace alone.

        Raises SessionLost if another dispatcher has taken over.
        """
        try:
            step = self._meters.steps.timing
            with step("look"):
                snapshot = self._look()
                self._finishing.halt_spent(snapshot.campaigns)
            with step("scale"):
                self._scale(snapshot, now)
            with step("assign"):
                roster = self._roster(snapshot.now)
                situation = self._situation(snapshot, roster)
                _, decision = fill(situation, partial(self._serve, roster))
                self._explaining.note(snapshot.campaigns, decision, now)
            with step("collect"):
                self._collect()
            with step("settle"):
                self._settle(snapshot.now)
                self._finishing.finish()
            with step("beat"):
                self._beat(snapshot, now)
        except DatabaseAway as exc:
            self._endure(exc, now)

    def end(self) -> None:
        """End the workers and this session; their chunks go back into the queue.

        Raises SessionLost if the workers are another dispatcher's now.
        """
        with suppress(DatabaseAway):
            self._make_sure()
        self._fleet.end()
        self._watching.save_workers(self._session, [], is_end=True)
        self._queue.end_session(self._session)

    def close(self) -> None:
        """Wait until the manifests and the plans that were begun are written."""
        self._finishing.close()
        self._replanning.close()

    # --- the steps of a round ---

    def _look(self) -> Snapshot:
        if self._database_was_away:
            self._recover()
        snapshot = priced_snapshot(self._queue.snapshot(self._session), self._prices)
        under_way = self._sending.campaigns
        left = {number: known for number, known in self._known.items() if number in under_way}
        self._known = {**left, **{campaign.id: campaign for campaign in snapshot.campaigns}}
        self._books.look(snapshot.campaigns)
        if unwanted := self._sending.unwanted(snapshot.leases):
            self._make_sure()
        for worker, key in unwanted:
            self._sending.stop(worker, key, at_step=True)
        return snapshot

    def _scale(self, snapshot: Snapshot, now: float) -> None:
        history = self._books.ledger.history
        for stop in self._autoscaler.tick(snapshot.campaigns, history, now, snapshot.now):
            self._sending.stop(stop.worker, stop.key, at_step=stop.at_step)

    def _situation(self, snapshot: Snapshot, roster: Roster) -> Situation:
        workers = [self._fleet.workers[name] for name in sorted(roster.ready)]
        return Situation(
            now=snapshot.now,
            campaigns=snapshot.campaigns,
            workers=[free_worker(worker, self._sending.is_stopped) for worker in workers],
            fleet_size=self._fleet.size,
            ledger=self._books.ledger,
            weights=self._weights,
            quotas=dict(self._quotas.items()),  # those of one moment, for the whole round
            spent_months=dict(self._spent_months.items()),
            closing=snapshot.closing,
            unable=self._loading.barred(snapshot.campaigns, roster.ready_classes),
        )

    def _serve(self, roster: Roster, assignments: Sequence[Assignment]) -> list[Claimed]:
        """Claim chunks for assignments and send them to the workers. Some may get none: their
        campaign's last chunks are out, or other workers must have them.
        """
        pairs = [(one.campaign_id, one.worker) for one in assignments]
        chunks = self._queue.claim(self._session, pairs, roster.answered)
        served = []
        for assignment, chunk in _matched(assignments, chunks):
            if not self._send_one(chunk):
                continue
            if assignment.instead_of is not None:
                self._sending.stop(assignment.worker, assignment.instead_of)
            key = chunk.id, chunk.lease
            served.append(Claimed(assignment=assignment, key=key, renders=chunk.total))
        return served

    def _collect(self) -> None:
        self._receiving.take(self._fleet.collect(COLLECT_S))

    def _settle(self, db_now: float) -> None:
        """Write down every result there is. They are forgotten only once that is done."""
        results = self._receiving.judged()
        if not results:
            return
        self._books.distrust(results, db_now)
        counted = self._receiving.settle(results, self._known, self._roster(db_now))
        if len(counted) < len(results):
            self._make_sure()
        self._receiving.forget()
        self._fleet.acknowledge(results)
        self._finishing.touch(result.campaign_id for result in results)
        self._replanning.after(counted)
        for settlement in counted:
            self._apply(settlement, db_now)
        self._sending.forget(result.key for result in results)

    def _beat(self, snapshot: Snapshot, now: float) -> None:
        """Say that this session lives, ask the workers whether they do, and publish what they are
        doing.
        """
        if now < self._next_heartbeat:
            return
        self._queue.renew(self._session)
        self._next_heartbeat = now + HEARTBEAT_S
        self._ask(now)
        self._settle(snapshot.now)
        self._books.save(self._session, self._fleet.workers)
        rows = published(
            self._fleet, self._books.ledger.records, self._autoscaler.leaving, snapshot.now
        )
        self._watching.save_workers(self._session, rows, let_go=self._autoscaler.let_go)
        self._autoscaler.let_go.clear()
        figures = figures_of(self._meters, self._autoscaler.counts, self._fleet.workers.values())
        self._watching.save_figures(self._session, figures)

    # --- what the steps need ---

    def _endure(self, exc: DatabaseAway, now: float) -> None:
        """Keep the workers painting while the database cannot be reached."""
        if not self._database_was_away:
            log.warning("%s Results are kept until it is back. action=wait", exc)
        self._database_was_away = True
        self._collect()
        self._ask(now)

    def _recover(self) -> None:
        """Send the chunks that were claimed although the database's answer was lost."""
        leases = self._queue.leases(self._session)
        log.info("The database is back. action=recover results=%d", len(self._receiving))
        for chunk in leases:
            if not self._sending.has(chunk):
                self._send_one(chunk)
        self._database_was_away = False

    def _send_one(self, chunk: Chunk) -> bool:
        if (failed := self._sending.send(chunk, on_page=self._make_sure)) is not None:
            self._receiving.take([failed])
            return False
        self._autoscaler.note_work(chunk.worker)
        return True

    def _apply(self, settlement: Settlement, db_now: float) -> None:
        """Do what follows from one attempt, once it is written down."""
        campaign = self._known.get(settlement.campaign_id)
        log_settled(log, settlement, campaign)
        self._books.account(settlement, campaign, self._loading.to_blame(settlement), db_now)
        self._reuse.learn(settlement.campaign_id, settlement.outcomes)

    def _ask(self, now: float) -> None:
        """Ask the workers for their health: those that no dispatcher asks end themselves."""
        if now >= self._next_health:
            self._next_health = now + HEARTBEAT_S
            self._receiving.take(self._fleet.ask_health(now))

    def _make_sure(self) -> None:
        """Raise SessionLost if another dispatcher leads: chunks without a lease of this session
        may then be that one's, and only that one may stop them.
        """
        self._queue.renew(self._session)

    def _roster(self, db_now: float) -> Roster:
        return roster_of(self._fleet, self._books.ledger.records, self._autoscaler.leaving, db_now)


def _matched(
    assignments: Iterable[Assignment], chunks: Iterable[Chunk]
) -> Iterator[tuple[Assignment, Chunk]]:
    """Each chunk with the assignment that it was claimed for."""
    left = list(assignments)
    for chunk in chunks:
        place = chunk.campaign_id, chunk.worker
        assignment = next(one for one in left if (one.campaign_id, one.worker) == place)
        left.remove(assignment)
        yield assignment, chunk
