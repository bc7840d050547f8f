"""A real Prometheus, with the farm's own rules in a hurry: minutes are seconds."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from dashboards.alerts import rule_files
from storage.bench.postgres import free_port

PATIENCE_S = 45.0
_LOOK_S = 0.1
_RANGE = "6s"


def binary() -> str | None:
    return shutil.which("prometheus")


def hurried(rules: dict[str, Any]) -> dict[str, Any]:
    """Rules whose ranges are six seconds, and that need not last."""
    text = re.sub(r"\[\d+[mhd]\]", f"[{_RANGE}]", json.dumps(rules))
    made = json.loads(re.sub(r'"for": "\d+m"', '"for": "1s"', text))
    for group in made["groups"]:
        group["interval"] = "1s"
    return made


def filled(query: str) -> str:
    """A panel's query, with Grafana's variables as it would fill them in."""
    asked = query.replace("$__rate_interval", _RANGE).replace("$job", "seedbed")
    return re.sub(r"\$\w+", ".*", asked)


class Prometheus:
    """A running server."""

    def __init__(self, url: str) -> None:
        self._url = url

    def ask(self, query: str) -> list[dict[str, Any]]:
        """The series that a query answers with now."""
        answer = httpx.get(f"{self._url}/api/v1/query", params={"query": query}, timeout=10)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found

    def firing(self) -> set[str]:
        alerts = httpx.get(f"{self._url}/api/v1/alerts", timeout=10).json()["data"]["alerts"]
        return {one["labels"]["alertname"] for one in alerts if one["state"] == "firing"}

    def faults(self) -> list[str]:
        """The rules that it could not evaluate."""
        groups = httpx.get(f"{self._url}/api/v1/rules", timeout=10).json()["data"]["groups"]
        return [
            f"{rule['name']}: {rule['lastError']}"
            for group in groups
            for rule in group["rules"]
            if rule["health"] == "err"
        ]

    def wait_until(self, is_so: Callable[[], object], what: str) -> None:
        ends = time.monotonic() + PATIENCE_S
        while not is_so():
            assert time.monotonic() < ends, f"{what}: {sorted(self.firing())} fire"
            time.sleep(_LOOK_S)


@contextmanager
def prometheus(folder: Path, target: str) -> Iterator[Prometheus]:
    """A server that scrapes a target each second and evaluates the farm's rules."""
    program, port = binary(), free_port()
    assert program is not None, "the fixture has looked"
    for name, rules in rule_files().items():
        (folder / name).write_text(yaml.safe_dump(hurried(rules)))
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(folder / name) for name in rule_files()],
        "scrape_configs": [{"job_name": "seedbed", "static_configs": [{"targets": [target]}]}],
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    command = [
        program, f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}", f"--web.listen-address=127.0.0.1:{port}",
        "--query.lookback-delta=5s", "--enable-feature=exemplar-storage",
    ]  # fmt: skip
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        server = Prometheus(f"http://127.0.0.1:{port}")
        _wait_for(f"http://127.0.0.1:{port}/-/ready", process, folder / "prometheus.log")
        yield server
    finally:
        process.kill()
        process.wait()


def _wait_for(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    ends = time.monotonic() + PATIENCE_S
    while True:
        try:
            if httpx.get(url, timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            pass
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < ends, log.read_text()
        time.sleep(_LOOK_S)
