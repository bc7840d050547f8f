"""The manifests say what the tools that read them expect, and mistakes are found: each check is
tried with one.
"""

import copy
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from dashboards.config import Config
from farm.campaign.loading import load_campaign
from farm.config import Settings
from farm.fleet_file import load_fleet
from farm.simulation.trace_file import load_trace
from tests.infra.checks import INFRA, build, fleet_problems, problems
from tests.infra.surroundings import (
    CLOSED,
    FLOWS,
    compose_problems,
    image_problems,
    is_let_through,
    unmade,
)

ROOT = INFRA.parent
FOLDERS = ("base", "gke", "campaign", "ingress", "monitoring")
DEPLOY = (ROOT / "docs/deploy.md").read_text()


@pytest.fixture(scope="module")
def manifests():
    """Everything, by the folder that it is built from. Where kubectl is not installed: a skip on a
    laptop, a failure in CI.
    """
    if shutil.which("kubectl") is None:
        assert "CI" not in os.environ, "kubectl is missing"
        pytest.skip("kubectl is not installed.")
    return {folder: build(folder) for folder in FOLDERS}


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_manifests_are_as_the_servers_and_our_rules_want_them(manifests, folder):
    assert problems(manifests[folder]) == []


def _ray(documents):
    return next(document for document in documents if document["kind"] == "RayCluster")["spec"]


def _deployment(documents):
    return next(document for document in documents if document["kind"] == "Deployment")["spec"]


def _worker(documents):
    return _ray(documents)["workerGroupSpecs"][0]["template"]["spec"]


MISTAKES = {
    "a slip in a key of Ray's": (
        lambda d: _ray(d).update(enableInTreeAutoscalling=True),
        "enableInTreeAutoscalling",
    ),
    "a number that is none": (
        lambda d: _ray(d)["workerGroupSpecs"][0].update(maxReplicas="16"),
        "maxReplicas",
    ),
    "a slip in a pod": (lambda d: _worker(d).update(tolerationz=[]), "tolerationz"),
    "a slip in a deployment": (lambda d: _deployment(d).update(replica=1), "replica"),
    "a port that is none": (
        lambda d: _deployment(d)["template"]["spec"]["containers"][0]["ports"][0].update(
            containerPort="x"
        ),
        "integer",
    ),
    "Ray for everybody": (lambda d: _ray(d)["authOptions"].update(mode="disabled"), "mode: token"),
    "no token at all": (lambda d: _ray(d).pop("authOptions"), "mode: token"),
    "the old autoscaler": (
        lambda d: _ray(d)["autoscalerOptions"].update(version="v1"),
        "must be v2",
    ),
    "workers on the head": (
        lambda d: _ray(d)["headGroupSpec"]["rayStartParams"].pop("num-cpus"),
        "num-cpus 0",
    ),
    "no time to drain": (
        lambda d: _worker(d).update(terminationGracePeriodSeconds=100),
        "before it has drained",
    ),
    "workers that stay": (
        lambda d: _ray(d)["workerGroupSpecs"][1].update(minReplicas=1),
        "never goes",
    ),
    "a secret in the clear": (
        lambda d: _deployment(d)["template"]["spec"]["containers"][0]["env"].append(
            {"name": "FARM_TOKEN", "value": "x"}
        ),
        "in the clear",
    ),
    "root": (lambda d: _worker(d)["securityContext"].pop("runAsNonRoot"), "runs as root"),
    "privileges": (
        lambda d: _worker(d)["containers"][0].pop("securityContext"),
        "gain privileges",
    ),
    "no limit": (
        lambda d: _worker(d)["containers"][0]["resources"].pop("limits"),
        "no memory limit",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_found(manifests, mistake):
    documents = copy.deepcopy(manifests["base"])
    plant, words = MISTAKES[mistake]
    plant(documents)
    assert any(words in problem for problem in problems(documents)), problems(documents)


def test_the_farm_has_the_settings_that_it_is_given(manifests):
    known = {f"FARM_{name.upper()}" for name in Settings.model_fields}
    given = {
        variable["name"]
        for documents in manifests.values()
        for document in documents
        for variable in _variables(document)
        if variable["name"].startswith("FARM_")
    }
    compose = yaml.safe_load((INFRA / "compose.yaml").read_text())
    given |= {
        name
        for service in compose["services"].values()
        for name in service["environment"]
        if name.startswith("FARM_")
    }
    assert given <= known
    assert len(given) > 5


def _variables(part):
    if isinstance(part, dict):
        yield from (v for v in part.get("env", []) if isinstance(v, dict))
        for value in part.values():
            yield from _variables(value)
    elif isinstance(part, list):
        for value in part:
            yield from _variables(value)


def test_whoever_scrapes_or_probes_is_let_in(manifests):
    documents = manifests["base"]
    kinds = [document["kind"] for document in documents]
    assert {
        "NetworkPolicy",
        "PodMonitor",
        "PersistentVolumeClaim",
        "Service",
        "Deployment",
        "RayCluster",
    } <= set(kinds)
    closed = next(
        d
        for d in documents
        if d["kind"] == "NetworkPolicy" and d["metadata"]["name"] == "farm-default"
    )
    assert closed["spec"] == {"podSelector": {}, "policyTypes": ["Ingress"]}
    service = next(
        d for d in documents if d["kind"] == "Service" and d["metadata"]["name"] == "farm"
    )
    assert service["spec"]["selector"] == _deployment(documents)["selector"]["matchLabels"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_whatever_a_manifest_names_is_made(manifests, folder):
    documents = [*manifests["base"], *manifests[folder]]
    assert unmade(documents, DEPLOY) == []
    assert "Secret farm-database" in unmade(documents, DEPLOY.replace("farm-database", "other"))
    without = [d for d in documents if d["kind"] not in ("PersistentVolumeClaim", "StatefulSet")]
    without = [d for d in without if d["metadata"]["name"] != "redis"]
    missing = unmade(without, DEPLOY)
    assert "PersistentVolumeClaim farm-models" in missing
    assert "Service redis" in missing


def test_whoever_must_be_reached_is_reached_and_by_nobody_else(manifests):
    for folder, flows in FLOWS.items():
        documents = [*manifests["base"], *manifests[folder]]
        assert [flow for flow in flows if not is_let_through(documents, flow)] == []
    assert [flow for flow in CLOSED if is_let_through(manifests["base"], flow)] == []
    policies = copy.deepcopy(manifests["base"])
    policies = [d for d in policies if d["metadata"]["name"] != "farm-redis"]
    (redis,) = [flow for flow in FLOWS["base"] if flow.port == 6379 and "redis" in str(flow.to)]
    assert not is_let_through(policies, redis)


def test_the_tables_are_there_before_the_farm_that_needs_them(manifests):
    (first,) = _deployment(manifests["base"])["template"]["spec"]["initContainers"]
    assert first["command"] == ["farm", "db", "upgrade"]
    (job,) = [d for d in manifests["campaign"] if d["kind"] == "RayJob"]
    assert job["spec"]["entrypoint"].startswith("farm db upgrade && ")


def test_the_operator_reaches_the_dashboard_of_a_job(manifests):
    (job,) = [d for d in manifests["campaign"] if d["kind"] == "RayJob"]
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["headGroupSpec"]["rayStartParams"]["dashboard-host"] == "0.0.0.0"
    assert cluster["authOptions"] == {"mode": "token"}


def test_the_pod_that_models_are_copied_through_is_as_the_servers_want_it():
    (pod,) = yaml.safe_load_all((INFRA / "kubernetes/models/pod.yaml").read_text())
    assert problems([pod]) == []
    assert pod["spec"]["volumes"][0]["persistentVolumeClaim"] == {"claimName": "farm-models"}


def test_the_pools_of_the_fleet_file_are_there(manifests):
    fleet = load_fleet(INFRA / "fleet.yaml")
    assert (INFRA / "kubernetes" / "base" / "fleet.yaml").read_text() == (
        INFRA / "fleet.yaml"
    ).read_text()
    pools = [pool.pool() for pool in fleet.pools]
    kubernetes = {
        g["groupName"]: (g["labels"], g["maxReplicas"])
        for g in _ray(manifests["base"])["workerGroupSpecs"]
    }
    aws = {
        name: (kind.get("labels", {}), kind["max_workers"])
        for name, kind in _aws()["available_node_types"].items()
    }
    for offered in (kubernetes, aws):
        assert fleet_problems(pools, offered) == []
        name = next(name for name, (labels, _) in offered.items() if labels)
        assert fleet_problems(pools, {**offered, name: ({"farm-market": "sopt"}, 16)})
        assert fleet_problems(pools, {**offered, name: (offered[name][0], 1)})


# --- a cluster of Ray's own on AWS ---

_CHECK = """
import json, sys
from ray.autoscaler._private.util import prepare_config, validate_config
from ray.autoscaler.v2.instance_manager.config import AutoscalingConfig
config = prepare_config(json.load(sys.stdin))
validate_config(config)
kinds = AutoscalingConfig(config, skip_content_hash=True).get_node_type_configs()
print(json.dumps({name: dict(kind.labels or {}) for name, kind in kinds.items()}))
"""


def _aws():
    return yaml.safe_load((INFRA / "aws.yaml").read_text())


def _checked_by_ray(config):
    """What Ray makes of a cluster file; in a process of its own, as it may end that."""
    return subprocess.run(
        [sys.executable, "-c", _CHECK],
        input=json.dumps(config),
        capture_output=True,
        text=True,
        check=False,
    )


def test_ray_takes_the_cluster_file_and_no_other():
    done = _checked_by_ray(_aws())
    assert done.returncode == 0, done.stderr[-2000:]
    kinds = json.loads(done.stdout.splitlines()[-1])
    assert kinds["l4-spot"] == {"farm-gpu": "L4", "farm-market": "spot"}
    slip = _aws()
    slip["available_node_types"]["l4-spot"]["max_worker"] = 3
    assert _checked_by_ray(slip).returncode != 0


def _aws_problems(config):
    starts = [*config["head_start_ray_commands"], *config["worker_start_ray_commands"]]
    found = [
        command
        for command in starts
        if "ray start" in command and "RAY_AUTH_MODE=token" not in command
    ]
    found += [
        command
        for command in starts
        if "dashboard-host" in command and "dashboard-host=127.0.0.1" not in command
    ]
    kinds = config["available_node_types"].items()
    found += [
        name
        for name, kind in kinds
        if kind["node_config"].get("MetadataOptions", {}).get("HttpTokens") != "required"
    ]
    found += [
        name
        for name, kind in kinds
        if not all(d["Ebs"].get("Encrypted") for d in kind["node_config"]["BlockDeviceMappings"])
    ]
    return found


def test_the_cluster_on_aws_is_closed():
    assert _aws_problems(_aws()) == []
    open_ = json.loads(
        json.dumps(_aws())
        .replace("RAY_AUTH_MODE=token ", "")
        .replace("127.0.0.1", "0.0.0.0")
        .replace("required", "optional")
    )
    assert len(_aws_problems(open_)) == 6


# --- images and one host ---


def _hadolint(path):
    command = [
        str(Path(sys.executable).with_name("hadolint")),
        "--failure-threshold",
        "info",
        str(path),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_hadolint_has_nothing_to_say(tmp_path):
    assert _hadolint(INFRA / "Dockerfile").stdout == ""
    planted = tmp_path / "Dockerfile"
    planted.write_text(
        (INFRA / "Dockerfile")
        .read_text()
        .replace("WORKDIR /opt/seedbed", "RUN cd /opt && sudo mkdir seedbed")
    )
    assert _hadolint(planted).returncode != 0


def test_images_have_the_versions_that_are_tested():
    text = (INFRA / "Dockerfile").read_text()
    assert image_problems(INFRA / "Dockerfile") == []
    assert text.count("--constraint constraints.txt") == 2
    assert text.count("'^torch==' constraints.txt") == 2
    for line in text.splitlines():
        if line.startswith("COPY"):
            assert all((ROOT / name).exists() for name in line.split()[1:-1]), line


def test_images_that_nothing_could_start_are_found(tmp_path):
    text = (INFRA / "Dockerfile").read_text()
    (tmp_path / "Dockerfile").write_text(
        text.replace('CMD ["farm", "up"]', 'ENTRYPOINT ["farm"]').replace("rsync tmux wget", "")
    )
    assert len(image_problems(tmp_path / "Dockerfile")) == 4


def test_one_host_has_all_that_its_services_need():
    compose = yaml.safe_load((INFRA / "compose.yaml").read_text())
    dockerfile = (INFRA / "Dockerfile").read_text()
    assert compose_problems(compose, dockerfile) == []
    broken = copy.deepcopy(compose)
    del broken["services"]["s3"], broken["services"]["tables"]
    del broken["services"]["farm-cpu"]["profiles"]
    found = compose_problems(broken, dockerfile.replace("/home/farm/state", "/home/farm/other"))
    for words in ("waits for s3", "belongs to root", "one kind", "to reach s3", "the tables"):
        assert any(words in problem for problem in found), (words, found)


def test_one_host_is_reached_from_itself_alone_and_has_no_secret_in_its_file():
    compose = yaml.safe_load((INFRA / "compose.yaml").read_text())
    for service in compose["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        for name, value in service["environment"].items():
            is_kept = name.endswith("__FILE") and value.startswith("/run/secrets/")
            asks = "${POSTGRES_PASSWORD:?" in str(value)
            assert "PASSWORD" not in name + str(value) or is_kept or asks, name
            assert name != "FARM_TOKEN" or value.startswith("${FARM_TOKEN:?")


@pytest.fixture
def watching():
    """The services of one host that watch the farm, and what Prometheus is told there."""
    services = yaml.safe_load((INFRA / "compose.yaml").read_text())["services"]
    told = yaml.safe_load((INFRA / "monitoring" / "prometheus.yaml").read_text())
    names = ("prometheus", "alertmanager", "grafana")
    return {name: services[name] for name in names}, told


def test_one_host_is_watched_by_what_is_built_from_dashboards(watching):
    services, _ = watching
    for name, service in services.items():
        assert service["profiles"] == ["monitoring"], name
        for volume in service["volumes"]:
            here, _, _ = volume.partition(":")
            assert not here.startswith(".") or (INFRA / here).exists(), here
    provider = yaml.safe_load((ROOT / "dashboards/grafana/dashboards.yaml").read_text())
    (folder,) = {one["options"]["path"] for one in provider["providers"]}
    assert f"../dashboards:{folder}:ro" in services["grafana"]["volumes"]


def test_prometheus_on_one_host_reaches_the_farm_with_its_token(watching):
    services, told = watching
    compose = yaml.safe_load((INFRA / "compose.yaml").read_text())
    (job,) = told["scrape_configs"]
    assert job["job_name"] == Config().job
    assert job["static_configs"] == [{"targets": ["farm:8600"]}]
    assert compose["services"]["farm-cpu"]["networks"]["default"]["aliases"] == ["farm"]
    assert job["authorization"]["credentials_file"] == "/run/secrets/farm-token"
    assert compose["secrets"] == {"farm-token": {"environment": "FARM_TOKEN"}}
    assert services["prometheus"]["secrets"] == ["farm-token"]
    (receiver,) = told["alerting"]["alertmanagers"]
    assert receiver["static_configs"] == [{"targets": ["alertmanager:9093"]}]


def test_prometheus_and_alertmanager_take_their_files(tmp_path):
    promtool, amtool = shutil.which("promtool"), shutil.which("amtool")
    if promtool is None:
        assert "CI" not in os.environ, "promtool is missing"
        pytest.skip("promtool is not installed.")
    text = (INFRA / "monitoring" / "prometheus.yaml").read_text()
    (tmp_path / "token").write_text("x")
    rules = ROOT / "dashboards" / "rules"
    text = text.replace("/run/secrets/farm-token", str(tmp_path / "token"))
    (tmp_path / "p.yaml").write_text(text.replace("/etc/prometheus/rules", str(rules)))
    subprocess.run([promtool, "check", "config", str(tmp_path / "p.yaml")], check=True)
    if amtool is not None:
        file = ROOT / "dashboards" / "alertmanager" / "alertmanager.yaml"
        subprocess.run([amtool, "check-config", str(file)], check=True)


def test_prometheus_on_kubernetes_names_the_job_that_rules_ask_for():
    pods = list(yaml.safe_load_all((INFRA / "kubernetes/base/monitoring.yaml").read_text()))
    (farm,) = [pod for pod in pods if pod["metadata"]["name"] == "farm-control"]
    (endpoint,) = farm["spec"]["podMetricsEndpoints"]
    assert {"targetLabel": "job", "replacement": Config().job} in endpoint["relabelings"]


def test_examples_can_be_read():
    assert load_trace(INFRA / "trace.yaml").works
    load_campaign(INFRA / "kubernetes" / "campaign" / "campaign.yaml")
