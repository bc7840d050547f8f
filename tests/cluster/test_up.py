"""`farm up` and `farm doctor`, as an operator meets them."""

import json
import os
import re
import signal

import httpx
import pytest

pytestmark = pytest.mark.cluster
TOKEN = "a-token-of-sixteen-or-more"


def test_a_farm_that_stays_takes_campaigns_shows_metrics_and_leaves_when_told(farm):
    farm.environment["FARM_TOKEN"] = TOKEN  # which the commands show, too
    process = farm.start("up", "--port", "0", "--host", "0.0.0.0")
    published = farm.home / "farm.json"
    farm.wait_until(published.is_file, process)
    url = json.loads(published.read_text())["url"]
    file = farm.file(settings={"steps": 2}, seeds=[1])
    first = farm.json("submit", "--wait", file)
    assert (first["state"], first["renders"]["done"], len(farm.manifest())) == ("done", 12, 12)
    assert farm.json("submit", file)["renders"]["done"] == 12
    assert httpx.get(f"{url}/metrics").status_code == 401
    assert "FARM_ALLOWED_PATHS" in farm.run("submit", farm.file("d", model="/etc"), code=2)
    for _ in range(2):  # the first time that a series is seen, it is 0
        text = httpx.get(f"{url}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).text
    labels = r'model="seedling@[0-9a-f]{8}",outcome="done",project="default",stage="final"'
    assert re.search(f"farm_renders_total{{{labels}}} 12.0", text), text
    assert len(farm.run("workers", "--json").splitlines()) == 2
    assert farm.json("watch", "c")["state"] == "done"
    os.kill(process.pid, signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert not published.exists()
    farm.wait_until(lambda: not farm.processes("ray"))
    assert TOKEN not in "".join(path.read_text() for path in (farm.home / "logs").iterdir())


def test_the_doctor_finds_everything_that_painting_needs(farm):
    findings = [
        json.loads(line) for line in farm.run("doctor", "--json", FARM_PORT="0").splitlines()
    ]
    assert {finding["check"] for finding in findings} >= {
        "python",
        "packages",
        "folders",
        "database",
        "port",
        "model",
        "device",
        "ray",
    }
    assert all(finding["fine"] for finding in findings)


def test_the_doctor_says_what_is_wrong_and_what_to_do(farm, tmp_path):
    (tmp_path / "in-the-way").write_text("")
    process = farm.start(
        "doctor",
        "--json",
        FARM_OUTPUTS=str(tmp_path / "in-the-way" / "outputs"),
        FARM_RAY="127.0.0.1:9",
    )
    out, _ = process.communicate(timeout=120)
    wrong = {
        finding["check"]: finding["detail"]
        for finding in map(json.loads, out.splitlines())
        if not finding["fine"]
    }
    assert process.returncode == 1
    assert "writable" in wrong["outputs"]
    assert "FARM_RAY" in wrong["ray"]
