"""What is wrong with the manifests in infra/, as sentences: by the schemas of Kubernetes, KubeRay
and Ray, and by rules of our own.
"""

import copy
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import yaml

INFRA = Path(__file__).parents[2] / "infra"
KUBERNETES = "1.31"
# What KubeRay's resources may have outside their pod templates: those of its keys that are used
# here. Its own schema is not ours to keep; KUBERAY_CRD_DIR may name a checkout of it, and is then
# asked too.
RAY_SCHEMA = yaml.safe_load((Path(__file__).parent / "kuberay.yaml").read_text())
Document = dict[str, Any]


def build(folder: str) -> list[Document]:
    """What `kubectl apply -k` would send."""
    done = subprocess.run(
        ["kubectl", "kustomize", INFRA / "kubernetes" / folder],
        capture_output=True,
        text=True,
        check=True,
    )
    return list(yaml.safe_load_all(done.stdout))


def problems(documents: list[Document]) -> list[str]:
    found = []
    for document in documents:
        where = f"{document['kind']} {document['metadata']['name']}"
        found += [
            f"{where}: {problem}"
            for problem in [*_schema_problems(document), *_rule_problems(document)]
        ]
    return found


def _schema_problems(document: Document) -> Iterator[str]:
    kind, group = document["kind"], document["apiVersion"].partition("/")[0]
    if group == "ray.io":
        yield from _against(RAY_SCHEMA[kind], _without_templates(document))
        if folder := os.environ.get("KUBERAY_CRD_DIR"):
            yield from _against(_crd(Path(folder), kind), document)
        for template in _templates(document):
            yield from _core_problems(
                {
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "metadata": {"name": "x"},
                    "spec": template["spec"],
                }
            )
    elif group != "monitoring.coreos.com":
        yield from _core_problems(document)
    else:
        yield from _against(RAY_SCHEMA[kind], document)


def _core_problems(document: Document) -> Iterator[str]:
    try:
        kubernetes_validate.validate(document, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as exc:
        yield str(exc.message)


def _against(schema: Document, document: Document) -> Iterator[str]:
    for error in jsonschema.Draft202012Validator(schema).iter_errors(document):
        yield f"{'/'.join(map(str, error.path))}: {error.message[:200]}"


def _crd(folder: Path, kind: str) -> Document:
    for path in folder.glob("*.yaml"):
        crd = yaml.safe_load(path.read_text())
        if crd["spec"]["names"]["kind"] == kind:
            schema = next(
                version["schema"]["openAPIV3Schema"]
                for version in crd["spec"]["versions"]
                if version["name"] == "v1"
            )
            schema["properties"]["metadata"] = {"type": "object"}
            return _strict(schema)
    raise AssertionError(f"{folder} has no {kind}")


def _strict(schema: Any) -> Any:
    """Without the keys that the server would drop in silence."""
    if isinstance(schema, dict):
        if (
            schema.get("type") == "object"
            and "properties" in schema
            and not schema.get("x-kubernetes-preserve-unknown-fields")
        ):
            schema.setdefault("additionalProperties", False)
        if schema.get("x-kubernetes-int-or-string"):
            schema.pop("type", None)
        for value in schema.values():
            _strict(value)
    elif isinstance(schema, list):
        for value in schema:
            _strict(value)
    return schema


def _groups(document: Document) -> list[Document]:
    cluster = document["spec"].get("rayClusterSpec", document["spec"])
    return [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]


def _templates(document: Document) -> list[Document]:
    if document["apiVersion"].startswith("ray.io/"):
        return [group["template"] for group in _groups(document)]
    return [document["spec"]["template"]] if document["kind"] == "Deployment" else []


def _without_templates(document: Document) -> Document:
    bare = copy.deepcopy(document)
    for group in _groups(bare):
        group["template"] = {}
    return bare


# --- rules of our own: what keeps a farm safe, and lets it drain ---


def _rule_problems(document: Document) -> Iterator[str]:
    for template in _templates(document):
        yield from _pod_problems(template["spec"])
    if document["apiVersion"].startswith("ray.io/"):
        cluster = document["spec"].get("rayClusterSpec", document["spec"])
        if cluster.get("authOptions") != {"mode": "token"}:
            yield "Ray takes orders from whoever reaches it: authOptions must be {mode: token}"
        if cluster.get("autoscalerOptions", {}).get("version") != "v2":
            yield "autoscalerOptions.version must be v2: the other never lets a node go"
        if cluster["headGroupSpec"]["rayStartParams"].get("num-cpus") != "0":
            yield "the head must have num-cpus 0, or workers are put on it"
        for group in cluster["workerGroupSpecs"]:
            yield from _drain_problems(group)


def _pod_problems(pod: Document) -> Iterator[str]:
    if not pod.get("securityContext", {}).get("runAsNonRoot"):
        yield "a pod runs as root"
    for container in pod["containers"]:
        name = container["name"]
        if container.get("securityContext", {}).get("allowPrivilegeEscalation") is not False:
            yield f"{name} may gain privileges"
        if "memory" not in container.get("resources", {}).get("limits", {}):
            yield f"{name} has no memory limit"
        for variable in container.get("env", []):
            if (
                re.search("TOKEN$|PASSWORD|SECRET|DATABASE_URL", variable["name"])
                and "value" in variable
            ):
                yield f"{variable['name']} of {name} stands in the clear"


def _drain_problems(group: Document) -> Iterator[str]:
    pod, name = group["template"]["spec"], group["groupName"]
    seconds = {v["name"]: v.get("value") for v in pod["containers"][0].get("env", [])}.get(
        "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S"
    )
    if seconds is None or int(seconds) >= pod.get("terminationGracePeriodSeconds", 30):
        yield (
            f"{name} is ended before it has drained: RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S must be"
            " below terminationGracePeriodSeconds"
        )
    if group.get("minReplicas", 0) != 0:
        yield f"{name} never goes: minReplicas must be 0"
    if pod.get("automountServiceAccountToken") is not False:
        yield f"{name} has the token of a service account that it does not need"


def fleet_problems(pools: list[Any], offered: dict[str, tuple[dict[str, str], int]]) -> list[str]:
    """Pools of a fleet file that no kind of node gives: `offered` has labels and most nodes, by
    the name of the kind.
    """
    found = []
    for pool in pools:
        rooms = [
            most
            for labels, most in offered.values()
            if dict(pool.labels).items() <= labels.items()
        ]
        if not rooms:
            found.append(f"no node has the labels of pool {pool.name}")
        elif sum(rooms) < pool.limit:
            found.append(f"pool {pool.name} has {pool.limit} workers, its nodes are {sum(rooms)}")
    return found
