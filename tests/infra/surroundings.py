"""What manifests name and do not make, who may reach whom by the network policies, and what the
images must have for those that start them.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

Document = dict[str, Any]
# What others make, and the line of docs/deploy.md that says so is looked for by these words.
_KUBERAY_MAKES = {("Secret", "farm"), ("Service", "farm-head-svc")}
_NAMED_BY = {
    "secretKeyRef": ("Secret", "name"),
    "secretRef": ("Secret", "name"),
    "configMap": ("ConfigMap", "name"),
    "persistentVolumeClaim": ("PersistentVolumeClaim", "claimName"),
    "credentials": ("Secret", "name"),
}
_NAMESPACE = "seedbed"


def unmade(documents: list[Document], docs: str) -> list[str]:
    """Things that manifests name, that no manifest makes and no command in `docs` creates."""
    made = {(document["kind"], document["metadata"]["name"]) for document in documents}
    made |= _KUBERAY_MAKES | {
        ("Secret", name) for name in re.findall(r"create secret \w+ ([\w-]+)", docs)
    }
    made |= {
        ("image", f"{tag}") for tag in re.findall(r"docker build .*-t (seedbed:\w+)", docs)
    } | {("image", f"seedbed-{target}") for target in ("control", "worker")}
    named = {name for document in documents for name in _named(document)}
    own = {name for name in named if name[0] != "image" or name[1].startswith("seedbed")}
    return sorted(f"{kind} {name}" for kind, name in own - made)


def _named(part: Any) -> Iterator[tuple[str, str]]:
    if isinstance(part, list):
        for value in part:
            yield from _named(value)
    if not isinstance(part, dict):
        return
    for key, value in part.items():
        if key in _NAMED_BY and isinstance(value, dict):
            kind, name = _NAMED_BY[key]
            yield kind, value[name]
        elif key == "image" and isinstance(value, str):
            yield "image", value
        elif key == "secretName" and "hosts" not in part:
            yield "Secret", value
        elif key == "backend" and "service" in value:
            yield "Service", value["service"]["name"]
        elif isinstance(value, str) and (found := _address(value)):
            yield "Service", found
        yield from _named(value)


def _address(value: str) -> str | None:
    """The service of this namespace that an address like redis.seedbed.svc:6379 is of."""
    found = re.fullmatch(rf"(?:\w+://)?([a-z][a-z0-9-]*)(?:\.{_NAMESPACE}\.svc)?:\d+", value)
    return found[1] if found else None


class Flow(NamedTuple):
    """What must get through: from pods with labels, in a namespace, to a port of other pods."""

    labels: dict[str, str]
    namespace: str
    to: dict[str, str]
    port: int


_CONTROL = {"app.kubernetes.io/name": "farm-control"}
_HEAD = {"ray.io/cluster": "farm", "ray.io/node-type": "head"}
_WORKER = {"ray.io/cluster": "farm", "app.kubernetes.io/name": "farm-worker"}
_CAMPAIGN = {"app.kubernetes.io/part-of": "farm-campaign"}
FLOWS = {
    "base": [
        Flow(_CONTROL, _NAMESPACE, _HEAD, 10001),
        Flow(_WORKER, _NAMESPACE, _HEAD, 6379),
        Flow(_HEAD, _NAMESPACE, _WORKER, 20000),
        Flow(_WORKER, _NAMESPACE, _WORKER, 20000),
        Flow(_HEAD, _NAMESPACE, {"app.kubernetes.io/name": "farm-redis"}, 6379),
        Flow({}, "monitoring", _CONTROL, 8600),
        Flow({}, "monitoring", _HEAD, 8080),
        Flow({}, "monitoring", _HEAD, 44217),
    ],
    "campaign": [
        Flow(_CAMPAIGN, _NAMESPACE, _CAMPAIGN, 6379),
        Flow({"app.kubernetes.io/name": "kuberay-operator"}, "kuberay", _CAMPAIGN, 8265),
    ],
    "ingress": [Flow({}, "ingress-nginx", _CONTROL, 8600)],
}
CLOSED = [
    Flow({}, "elsewhere", _CONTROL, 8600),
    Flow(_CONTROL, _NAMESPACE, {"app.kubernetes.io/name": "farm-redis"}, 6379),
    Flow(_WORKER, _NAMESPACE, {"app.kubernetes.io/name": "farm-redis"}, 6379),
    Flow({}, "monitoring", _HEAD, 10001),
    Flow({}, "elsewhere", _HEAD, 6379),
]


def is_let_through(documents: list[Document], flow: Flow) -> bool:
    """Whether the policies let it in; pods that no policy selects are open to everybody."""
    policies = [
        d["spec"]
        for d in documents
        if d["kind"] == "NetworkPolicy" and _selects(d["spec"]["podSelector"], flow.to)
    ]
    return not policies or any(
        _is_allowed(rule, flow) for policy in policies for rule in policy.get("ingress", [])
    )


def _is_allowed(rule: Document, flow: Flow) -> bool:
    ports = [port["port"] for port in rule.get("ports", [])]
    return (not ports or flow.port in ports) and any(_is_peer(peer, flow) for peer in rule["from"])


def _is_peer(peer: Document, flow: Flow) -> bool:
    inside = (
        _selects(peer["namespaceSelector"], {"kubernetes.io/metadata.name": flow.namespace})
        if "namespaceSelector" in peer
        else flow.namespace == _NAMESPACE
    )
    return inside and _selects(peer.get("podSelector", {}), flow.labels)


def _selects(selector: Document, labels: dict[str, str]) -> bool:
    return selector.get("matchLabels", {}).items() <= labels.items()


def image_problems(dockerfile: Path) -> list[str]:
    """What keeps Ray and KubeRay from starting containers of the images."""
    text = dockerfile.read_text()
    found = ["an entrypoint: Ray runs `IMAGE bash`"] if "ENTRYPOINT" in text else []
    installed = re.findall(r"apt-get install ([^&]*)", text.replace("\\\n", " "))
    words = {word for line in installed for word in line.split()}
    return found + [f"no {tool}" for tool in ("rsync", "tmux", "wget") if tool not in words]


def compose_problems(compose: Document, dockerfile: str) -> list[str]:
    """What keeps the services of one host from starting."""
    services, found = compose["services"], []
    for name, service in services.items():
        found += [
            f"{name} waits for {other}, which is not there"
            for other in service.get("depends_on", {})
            if other not in services
        ]
        found += [
            f"{name} has the volume {volume}, which belongs to root"
            for volume in service.get("volumes", [])
            if volume.startswith("state:")
            and f"--owner=farm --group=farm {volume.split(':')[1]}" not in dockerfile
        ]
        if "farm" in name and "profiles" not in service:
            found.append(f"{name} is for one kind of machine alone")
        address = service.get("environment", {}).get("AWS_ENDPOINT_URL_S3", "")
        if (host := re.search(r"//([a-z0-9]+):", address)) and host[1] not in services:
            found.append(f"{name} is to reach {host[1]}, which is not there")
    if not any(
        service.get("command") == ["farm", "db", "upgrade"] for service in services.values()
    ):
        found.append("nothing makes the tables")
    return found
