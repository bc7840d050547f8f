"""What the fleet's rules are worth: how busy they keep workers whose batches take unevenly long,
how often models are loaded, and how fast they decide for very many workers. The first is a farm
that runs, the others its own rules on the virtual clock of `farm.simulation.simulator`.
"""

from collections import deque
from dataclasses import replace
from pathlib import Path
from time import perf_counter, process_time

from farm.bench.dispatch import (
    WORKERS,
    has_ray_data,
    has_ray_serve,
    peer_efficiencies,
    uneven_efficiencies,
)
from farm.bench.figures import Json, machine, spreads
from farm.bench.growing import IDLE_S, growing
from farm.scheduling.assignment import assign
from farm.scheduling.situation import Situation
from farm.scheduling.values import FreeWorker, Limits, Pool
from farm.simulation.queue import CampaignQueue
from farm.simulation.simulator import simulate
from farm.simulation.trace import Trace, Work

SPREAD = 10.0
# Three models, interleaved on two workers; loading one takes as long as 20 batches.
MODELS, SHARED_WORKERS, BATCHES, BATCH_S, LOAD_S = 3, 2, 600, 1.0, 20.0
FIFO_CHUNK = 60
# Two share the third one's work, as one of them would be done long after the other otherwise.
LEAST_LOADS = MODELS + SHARED_WORKERS - 1


def measure(
    *, rounds: int, batches: int, gpus: int, renders: int, models: int, work: Path | None
) -> Json:
    """Run every side `rounds` times in turn."""
    figures, peers = [], []
    for _ in range(rounds):
        figures.append(_figures(batches, gpus, renders, models, work))
        peers.append(_peers(batches))
    left_out = [
        name
        for name, is_there in (("ray_data", has_ray_data()), ("ray_serve", has_ray_serve()))
        if not is_there
    ]
    setup = {
        "rounds": rounds, "batches": batches, "actors": WORKERS, "spread": SPREAD, "gpus": gpus,
        "renders": renders, "models": models,
        "idle_s": IDLE_S, "left_out": left_out,
    }  # fmt: skip
    return {
        "bench": "fleet",
        "machine": machine(),
        "setup": setup,
        "figures": spreads(figures),
        "peers": spreads(peers),
    }


def _figures(
    batches: int, gpus: int, renders: int, models: int, work: Path | None
) -> dict[str, float]:
    uneven = uneven_efficiencies(batches, SPREAD, work)
    shared = simulate(_three_models())
    began = perf_counter()
    large = simulate(many_models(gpus, renders, models))
    seconds = perf_counter() - began
    return {
        **uneven,
        **growing(work),
        "makespan_ratio": 1 / uneven["eff_100ms"],
        "loads_over_optimum": shared.loads / LEAST_LOADS,
        "shared_makespan_ratio": shared.makespan / _shared_bound(),
        "decisions_per_s": decisions_per_s(gpus, renders, models),
        "simulated_chunks_per_s": large.chunks / seconds,
        "simulated_in_s": seconds,
        "simulated_makespan_ratio": large.makespan / large.bound,
    }


def _peers(batches: int) -> dict[str, float]:
    loads, makespan = _fifo()
    peers = {
        "fifo.loads_over_optimum": loads / LEAST_LOADS,
        "fifo.shared_makespan_ratio": makespan / _shared_bound(),
    }
    for peer, is_there in (("ray_data", has_ray_data()), ("ray_serve", has_ray_serve())):
        if is_there:
            peers |= peer_efficiencies(peer, batches, SPREAD)
    return peers


def _three_models() -> Trace:
    works = [
        Work(
            name=f"c{k}",
            model=f"m{k}",
            renders=BATCHES,
            batch=1,
            batch_s=BATCH_S,
            load_s=LOAD_S,
            project="one",
        )
        for k in range(MODELS)
    ]
    return Trace(works=works, pools=[Pool()], limits=Limits(ceiling=SHARED_WORKERS))


def _shared_bound() -> float:
    """All batches and the least loads, shared evenly."""
    return (MODELS * BATCHES * BATCH_S + LEAST_LOADS * LOAD_S) / SHARED_WORKERS


def _fifo() -> tuple[int, float]:
    """Loads and makespan of one queue that holds the models' chunks in turn, and gives the first
    one to whoever is free.
    """
    queue = deque(model for _ in range(BATCHES // FIFO_CHUNK) for model in range(MODELS))
    free_at, warm, loads = [0.0] * SHARED_WORKERS, [-1] * SHARED_WORKERS, 0
    while queue:
        worker, model = free_at.index(min(free_at)), queue.popleft()
        if warm[worker] != model:
            warm[worker], loads = model, loads + 1
            free_at[worker] += LOAD_S
        free_at[worker] += FIFO_CHUNK * BATCH_S
    return loads, max(free_at)


def decisions_per_s(gpus: int, renders: int, models: int) -> float:
    """How many chunks a second of processor time one round gives to workers that have none, in the
    middle of the work: each has one of the models warm.
    """
    works = many_models(gpus, renders, models).works
    rows = [CampaignQueue(k, work, work.renders).row() for k, work in enumerate(works)]
    begun = [replace(row, ended=1, left=row.left - 1) for row in rows]
    workers = [
        FreeWorker(name=f"w{k}", warm=frozenset({f"m{k % models}"}), numerics_class="one")
        for k in range(gpus)
    ]
    situation = Situation(now=0.0, campaigns=begun, workers=workers, fleet_size=gpus)
    began = process_time()
    decision = assign(situation)
    return len(decision.assignments) / (process_time() - began)


def many_models(gpus: int, renders: int, models: int) -> Trace:
    """A campaign for each model, of twenty projects, on workers that take a minute to come and
    half of one to load.
    """
    works = [
        Work(
            name=f"c{k}",
            model=f"m{k}",
            renders=renders // models,
            batch_s=4.0,
            load_s=30.0,
            project=f"p{k % 20}",
        )
        for k in range(models)
    ]
    return Trace(works=works, pools=[Pool(start_s=60.0)], limits=Limits(ceiling=gpus))
