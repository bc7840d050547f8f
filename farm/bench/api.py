"""What the API takes beside a farm that paints, and what it takes from that farm: a mixed load of
requests at a steady rate, from a process of its own, while a campaign is painted; and the same
campaign without the load, in turn.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote
from urllib.request import urlopen

from farm.app import embedded_farm
from farm.bench.figures import Json, machine, spread
from farm.bench.load import METRICS, percentile
from farm.client.client import Client
from farm.config import read_settings
from farm.connect import client_of
from storage.bench.campaigns import add_ended
from storage.database import open_database
from storage.errors import WorkError

PER_S, SCRAPE_S, LISTED = 50, 2.0, 1_000
_LISTS = 10
_STEPS, _SIZE = 20, "128x128"


def measure(*, pairs: int, pictures: int, work: Path | None) -> Json:
    """Paint `pairs` campaigns without and with the load, in turn, after one that is not counted.
    Raises WorkError if a request is not answered.
    """
    with TemporaryDirectory(prefix="farm-api-", dir=work) as folder, ExitStack() as stack:
        settings = read_settings(home=Path(folder) / "home", rate="1000000/second")
        farm = stack.enter_context(embedded_farm(settings, port=0))
        add_ended(open_database(settings.database_address), LISTED)
        farm.supervisor.start()
        client = stack.enter_context(client_of(settings, farm.url))
        _paint(client, "warm", pictures, 0)
        paths, rounds = _paths(client), []
        for k in range(1, pairs + 1):
            quiet_s = _paint(client, f"quiet-{k}", pictures, 2 * k)
            cpu_s = time.process_time()
            with _load(farm.url, [*paths, "/api/v1/campaigns/warm/why"]) as load:
                loaded_s = _paint(client, f"loaded-{k}", pictures, 2 * k + 1)
            times, cpu_s = _times(load), time.process_time() - cpu_s
            cpu = {"cpu_ms_per_request": cpu_s * 1000 / times["requests"]}
            rounds.append({"throughput_ratio": quiet_s / loaded_s, **times, **cpu})
        lists = [_list_ms(farm.url) for _ in range(_LISTS)]
    figures = {name: spread([one[name] for one in rounds]) for name in rounds[0]}
    figures["list_1000_ms"] = spread(lists)
    setup = {"pairs": pairs, "pictures": pictures, "requests_per_s": PER_S, "campaigns": LISTED}
    return {"bench": "api", "machine": machine(), "setup": setup, "figures": figures, "peers": {}}


def _paint(client: Client, name: str, pictures: int, seed: int) -> float:
    """Paint a campaign; returns the seconds from its start to its end, by the database's clock."""
    client.submit(
        {
            "name": name, "model": "seedling", "prompt": "a {color} mug, picture {number}",
            "vary": {"color": ["red", "blue"], "number": {"range": [1, pictures // 2, 1]}},
            "seeds": [seed], "settings": {"steps": _STEPS, "size": _SIZE},
        }
    )  # fmt: skip
    while True:
        status = client.status(name)
        if status.finished_at is not None and status.started_at is not None:
            break
        time.sleep(0.5)
    if status.state != "done":
        raise WorkError(f"The campaign {name} of the measurement is {status.state}.")
    return status.finished_at - status.started_at


def _paths(client: Client) -> list[str]:
    """Questions as pages, programs and people ask them, in turn."""
    first = next(iter(client.manifest("warm")))
    assert first["key"] is not None
    return [
        "/api/v1/campaigns?limit=50",
        "/api/v1/campaigns/warm/renders?limit=100",
        f"/api/v1/outputs/{quote(first['key'])}",
        "/api/v1/campaigns/warm",
        "/api/v1/campaigns/warm/renders/3",
        "/api/v1/events/page?limit=50",
        "/api/v1/workers",
        "/api/v1/campaigns/warm/renders?state=done&where=color%3Dred&limit=50",
        "/api/v1/campaigns/warm/costs",
    ]


@contextmanager
def _load(url: str, paths: list[str]) -> Iterator[Json]:
    """Ask during the block; what came of it is in the mapping afterwards."""
    told: Json = {}
    process = subprocess.Popen(
        [sys.executable, "-m", "farm.bench.load"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdin is not None
        order = {"url": url, "per_s": PER_S, "scrape_s": SCRAPE_S, "paths": paths}
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        yield told
        answer, _ = process.communicate()
        told.update(json.loads(answer))
    finally:
        process.kill()
        process.wait()


def _times(load: Json) -> Json:
    if wrong := load["wrong"]:
        raise WorkError(f"{len(wrong)} requests went wrong, the first: {wrong[0]}.")
    scrapes = load["times"].pop(METRICS)
    times = [took for each in load["times"].values() for took in each]
    slowest = {percentile(each, 0.5): path for path, each in load["times"].items()}
    return {
        "p50_ms": percentile(times, 0.5),
        "p99_ms": percentile(times, 0.99),
        "slowest_path_p50_ms": max(slowest),
        "scrape_p50_ms": percentile(scrapes, 0.5),
        "scrape_p99_ms": percentile(scrapes, 0.99),
        "requests": len(times),
    }


def _list_ms(url: str) -> float:
    """How long a list of a thousand campaigns takes, until the last byte of it is here."""
    began = time.perf_counter()
    with urlopen(f"{url}/api/v1/campaigns?limit={LISTED}") as answer:  # noqa: S310  # our own
        found = json.load(answer)
    took_ms = (time.perf_counter() - began) * 1000
    if len(found) != LISTED:
        raise WorkError(f"The list has {len(found)} campaigns, not {LISTED}.")
    return took_ms
