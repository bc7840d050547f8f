"""What must be true of a campaign whatever went wrong while it was painted."""

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, Row, Table, select

from actors.pictures.files import file_pixels_digest
from farm.campaign.expansion import Expansion
from farm.campaign.specs import expansion_of
from storage.events import Events
from storage.keys import atlas_key, campaign_name, is_atlas, manifest_key, place_of
from storage.reviews import Reviews
from storage.states import AttemptOutcome, ChunkState, Reason, RenderState, Stage, Verdict
from storage.tables import attempts, campaigns, chunks, renders, sessions
from storage.verdicts import Decision
from tests.chaos.cluster import Painted
from tests.chaos.reviewing import is_wanted
from tests.storage.events_check import disagreements

Pixels = dict[tuple[str, int], str]
"""The pixel hash of every render, by its campaign's name and its number."""
_SHOWN = 5
_FREE = (
    AttemptOutcome.PAINTED,
    AttemptOutcome.STALE,
    AttemptOutcome.STOPPED,
    AttemptOutcome.PREEMPTED,
    AttemptOutcome.WORKER_LOST,
)


@dataclass
class Audit:
    """What was found. `problems` must be empty; the others are reported."""

    problems: list[str] = field(default_factory=list)
    renders: int = 0
    lost: int = 0
    twice: int = 0
    failed: int = 0
    painted: int = 0
    repainted: int = 0
    copied: int = 0
    unsaid: int = 0
    stale: int = 0
    sessions: int = 0
    parts: int = 0
    """Files that a killed process had begun: hidden, under a name that no key has, and taken for a
    picture by nobody.
    """
    pixels: Pixels = field(default_factory=dict)

    def check(self, wrong: Sequence[object], sentence: str) -> int:
        """Note what is wrong, if something is, with the first few of it; returns how many they
        are.
        """
        if wrong:
            self.problems.append(f"{len(wrong)} {sentence}: {', '.join(map(str, wrong[:_SHOWN]))}")
        return len(wrong)


def audit(
    engine: Engine,
    outputs: Path,
    painted: Painted,
    *,
    reference: Pixels | None,
    may_repaint: int = 0,
    may_lose: int = 0,
    warned: Collection[str] = (),
) -> Audit:
    """Look at a farm that has ended: its database, its files, and what its actors say that they
    painted.

    `may_lose` is how many workers were taken without notice, `may_repaint` how many renders they
    had then; `warned` are those that had notice, and time to go.
    """
    found = Audit()
    read = partial(_read, engine)
    reviews = Reviews(engine)
    for campaign in read(campaigns):
        _check_campaign(found, campaign, read, reviews.log(campaign.id))
    # one end for each, and counts that add up, whatever was killed in between
    found.check(
        disagreements(read(campaigns), list(Events(engine).all())),
        "events say something else than the rows that they are about",
    )
    _check_sessions(found, read(sessions), read(chunks))
    _check_files(found, outputs, read(campaigns), read(renders))
    _check_pixels(
        found, outputs, {row.id: row.name for row in read(campaigns)}, read(renders), reference
    )
    _check_work(found, read(renders), painted, may_repaint)
    _check_charges(found, read(attempts), read(chunks), may_lose, warned)
    return found


# --- each render once ---


def _check_campaign(found: Audit, campaign: Row[Any], read: Any, log: Sequence[Decision]) -> None:
    mine = partial(_of, campaign.id)
    rows, tries, pieces = (
        list(filter(mine, read(table))) for table in (renders, attempts, chunks)
    )
    name, expansion = campaign.name, expansion_of(json.loads(campaign.spec))
    numbers = {row.number for row in rows}
    asked = {render.number for _, render in expansion.all_renders()}
    if campaign.released is not None:
        asked = _check_reviews(found, campaign, asked, log)
    found.renders += len(asked)
    found.lost += found.check(sorted(asked - numbers), f"renders of {name} are lost")
    found.check(sorted(numbers - asked), f"renders of {name} were never asked for")
    not_done = [
        f"{row.number} ({row.state}, {row.reason}: {row.detail})"
        for row in rows
        if row.state != RenderState.DONE
    ]
    found.failed += found.check(not_done, f"renders of {name} are not done")
    _check_counts(found, campaign, rows, tries)
    _check_tokens(
        found,
        name,
        rows,
        tries,
        {piece.id: set(_numbers_of(piece, expansion)) for piece in pieces},
    )
    found.check(
        [piece.id for piece in pieces if piece.state != ChunkState.SETTLED],
        f"chunks of {name} are not settled",
    )


def _check_reviews(
    found: Audit, campaign: Row[Any], asked: set[int], log: Sequence[Decision]
) -> set[int]:
    """Every render was decided about once, as the reviewer meant it; returns those approved."""
    times = Counter(number for entry in log for number in entry.numbers.tolist())
    name = campaign.name
    found.check(sorted(asked - set(times)), f"renders of {name} were decided about by nobody")
    found.check(
        [number for number, count in times.items() if count > 1],
        f"renders of {name} were decided about twice",
    )
    wrong = [
        number
        for entry in log
        for number in entry.numbers.tolist()
        if is_wanted(number) is not (entry.verdict is Verdict.APPROVED)
    ]
    found.check(wrong, f"renders of {name} have another verdict than was sent")
    approved = {number for number in asked if is_wanted(number)}
    counts = (campaign.released, campaign.rejected)
    meant = (len(approved), len(asked) - len(approved))
    found.check(
        [counts] if counts != meant else [], f"{name} should have released, rejected {meant}"
    )
    return approved


def _check_counts(
    found: Audit, campaign: Row[Any], rows: Sequence[Row[Any]], tries: Sequence[Row[Any]]
) -> None:
    written = Counter(row.state for row in rows)
    for state in (RenderState.DONE, RenderState.FAILED, RenderState.HELD):
        counts = (
            getattr(campaign, state),
            written[state],
            sum(getattr(row, state) for row in tries),
        )
        found.check(
            [] if len(set(counts)) == 1 else [counts],
            f"counts of {campaign.name} differ ({state}: campaign, rows, attempts)",
        )


def _check_tokens(
    found: Audit,
    name: str,
    rows: Sequence[Row[Any]],
    tries: Sequence[Row[Any]],
    numbers: Mapping[int, set[int]],
) -> None:
    """Each row was written by one attempt, whose lease was good; no chunk and no render was
    counted twice.
    """
    good = [row for row in tries if row.outcome != AttemptOutcome.STALE]
    found.stale += len(tries) - len(good)
    writers = [row for row in good if row.done + row.failed + row.held]
    chunks_twice = [
        chunk for chunk, times in Counter(row.chunk_id for row in writers).items() if times > 1
    ]
    found.check(chunks_twice, f"chunks of {name} were settled twice")
    by_lease: dict[tuple[int, str], list[int]] = {}
    for row in writers:
        by_lease.setdefault((row.lease, row.worker), []).append(row.chunk_id)
    owners = {
        row.number: [
            c for c in by_lease.get((row.attempts, row.worker), []) if row.number in numbers[c]
        ]
        for row in rows
    }
    found.check(
        [number for number, of in owners.items() if not of],
        f"renders of {name} have no good attempt",
    )
    found.twice += found.check(
        [number for number, of in owners.items() if len(of) > 1],
        f"renders of {name} were counted twice",
    )


def _numbers_of(piece: Row[Any], expansion: Expansion) -> Iterator[int]:
    if piece.numbers is not None:
        yield from json.loads(piece.numbers)
    else:
        yield from (
            render.number for render in expansion.renders(piece.group_no, piece.start, piece.stop)
        )


def _check_work(
    found: Audit, rows: Sequence[Row[Any]], painted: Painted, may_repaint: int
) -> None:
    """No picture was painted again but for a lost actor, which may also have been lost before it
    could say what it had painted.

    What was copied from another campaign was painted there.
    """
    again = painted - Painted(painted.keys())
    made = {row.digest for row in rows if (row.campaign_id, row.number) in painted}
    copies = [row for row in rows if row.reason == Reason.COPIED]
    said = painted.keys() | {(row.campaign_id, row.number) for row in copies if row.digest in made}
    unsaid = [
        (row.campaign_id, row.number)
        for row in rows
        if row.key and (row.campaign_id, row.number) not in said
    ]
    found.painted, found.repainted, found.copied, found.unsaid = (
        painted.total(),
        again.total(),
        len(copies),
        len(unsaid),
    )
    if found.repainted > may_repaint:
        found.check(
            list(again.elements()), f"pictures were painted again, where {may_repaint} may be"
        )
    if found.unsaid > may_repaint:
        found.check(
            unsaid, f"pictures were painted by nobody, where of {may_repaint} it may be unknown"
        )


def _check_charges(
    found: Audit,
    tries: Sequence[Row[Any]],
    pieces: Sequence[Row[Any]],
    may_lose: int,
    warned: Collection[str],
) -> None:
    """An attempt is held against a chunk only where its worker was taken without notice: nothing
    here is the fault of a render.
    """
    found.check(
        [f"{row.id} ({row.failures})" for row in pieces if row.failures],
        "chunks were charged with a failure",
    )
    found.check(
        [f"{row.id} ({row.outcome})" for row in tries if row.outcome not in _FREE],
        "attempts ended as none should",
    )
    losses = [row for row in tries if row.outcome == AttemptOutcome.WORKER_LOST]
    found.check(
        [row.worker for row in losses if row.worker in warned],
        "workers that had notice were lost with what they painted",
    )
    if len(losses) > may_lose:
        found.check(
            [row.chunk_id for row in losses],
            f"chunks lost their worker, of which {may_lose} were taken without notice",
        )


# --- leases ---


def _check_sessions(
    found: Audit, all_sessions: Sequence[Row[Any]], pieces: Sequence[Row[Any]]
) -> None:
    found.sessions = len(all_sessions)
    found.check(
        [row.id for row in all_sessions if row.live is not None],
        "sessions lead although every farm has ended",
    )
    found.check(
        [row.id for row in all_sessions if (row.live is None) != (row.ended_at is not None)],
        "sessions have no end",
    )
    found.check(
        [row.id for row in pieces if row.state == ChunkState.LEASED],
        "chunks are leased although every farm has ended",
    )


# --- files ---


def _check_files(
    found: Audit, outputs: Path, all_campaigns: Sequence[Row[Any]], rows: Sequence[Row[Any]]
) -> None:
    files = [path for path in outputs.rglob("*") if path.is_file()]
    found.parts = sum(path.name.startswith(".") for path in files)
    pictures = {
        path.relative_to(outputs).as_posix()
        for path in files
        if path.suffix == ".png" and not path.name.startswith(".")
    }
    keys = Counter(row.key for row in rows if row.key is not None)
    manifests = {
        manifest_key(
            row.project, campaign_name(row.name), Stage.PROOF if row.proof_of else Stage.FINAL
        ): row
        for row in all_campaigns
    }
    others = {
        path.relative_to(outputs).as_posix()
        for path in files
        if path.suffix != ".png" and not path.name.startswith(".")
    }
    found.check(sorted(pictures - set(keys)), "files have no row")
    found.check(sorted(set(keys) - pictures), "rows have no file")
    found.check([key for key, times in keys.items() if times > 1], "keys have several rows")
    atlases = {key for key in others if is_atlas(place_of(key))}
    found.check(
        sorted(others - set(manifests) - atlases), "files are neither pictures nor manifests"
    )
    found.check(sorted(_named_atlases(all_campaigns, rows) - atlases), "thumbnails are missing")
    found.check(sorted(set(manifests) - others), "manifests are missing")
    for key in sorted(set(manifests) & others):
        _check_manifest(found, outputs / key, [row for row in rows if _of(manifests[key].id, row)])


def _named_atlases(all_campaigns: Sequence[Row[Any]], rows: Sequence[Row[Any]]) -> set[str]:
    """The keys of the atlases that rows of renders name."""
    campaigns_by_id = {row.id: row for row in all_campaigns}
    found = set()
    for row in rows:
        if row.thumbnail is not None:
            campaign = campaigns_by_id[row.campaign_id]
            name, atlas = campaign_name(campaign.name), row.thumbnail.partition(":")[0]
            found.add(atlas_key(campaign.project, name, atlas))
    return found


def _check_manifest(found: Audit, path: Path, rows: Sequence[Row[Any]]) -> None:
    lines = {
        line["number"]: (line["key"], line["pixels"])
        for line in map(json.loads, path.read_text().splitlines())
    }
    wrong = [row.number for row in rows if lines.get(row.number) != (row.key, row.pixels)]
    found.check(wrong, f"lines of {path.name} in {path.parent.name} are wrong or missing")


def _check_pixels(
    found: Audit,
    outputs: Path,
    names: Mapping[int, str],
    rows: Sequence[Row[Any]],
    reference: Pixels | None,
) -> None:
    found.pixels = {(names[row.campaign_id], row.number): row.pixels for row in rows}
    wrong = [row.key for row in rows if row.key and _pixels(outputs / row.key) != row.pixels]
    found.check(wrong, "files have other pixels than their row says")
    if reference is not None:
        other = [key for key, pixels in found.pixels.items() if reference.get(key) != pixels]
        found.check(other, "renders have other pixels than in a run where nothing went wrong")


def _pixels(path: Path) -> str | None:
    return file_pixels_digest(path.read_bytes()) if path.is_file() else None


def _read(engine: Engine, table: Table) -> Sequence[Row[Any]]:
    with engine.execution_options(readonly=True).connect() as connection:
        return connection.execute(select(table)).all()


def _of(campaign_id: int, row: Row[Any]) -> bool:
    return bool(row.campaign_id == campaign_id)
