"""A Ray cluster that grows on this machine as one in a cloud does: autoscaler v2, with processes
for nodes. Only its own are ever ended.

For tests, and for `farm bench fleet` as a program: `python -m actors.bench.fake_cloud FOLDER`
prints its address, and the kinds of its nodes for each line on its standard input. It ends with
that input. Ray's own helper for this (`AutoscalingCluster`) is broken in the wheel, and would
end every Ray of the machine.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import ray._private.services as ray_services
from ray._raylet import GcsClient  # type: ignore[attr-defined]  # compiled
from ray.autoscaler._private.fake_multi_node.node_provider import FakeMultiNodeProvider
from ray.autoscaler.node_launch_exception import NodeLaunchException
from ray.autoscaler.tags import (
    NODE_KIND_WORKER,
    STATUS_UP_TO_DATE,
    TAG_RAY_NODE_KIND,
    TAG_RAY_NODE_NAME,
    TAG_RAY_NODE_STATUS,
    TAG_RAY_USER_NODE_TYPE,
)
from ray.autoscaler.v2.sdk import get_cluster_status
from ray.core.generated import autoscaler_pb2

_HEAD_ID = "fffffffffffffffffffffffffffffffffffffffffffffffffff00000"
_HEAD_KIND = "ray.head.default"  # as the provider calls it
_PATIENCE_S = 120.0
_RAY_START = (
    str(Path(sys.executable).with_name("ray")), "start", "--block", "--disable-usage-stats",
    "--dashboard-agent-listen-port=0",
)  # fmt: skip


class Provider(FakeMultiNodeProvider):  # type: ignore[misc]  # Ray's types are not followed
    """Nodes as they are in a cloud: each a `ray start --block`, which SIGTERM drains. None of the
    kinds that a file names is given.

    Ray's head imports it from here.
    """

    def create_node_with_resources_and_labels(
        self, node_config: Any, tags: Any, count: int, resources: Any, labels: Any
    ) -> Any:
        kind = tags[TAG_RAY_USER_NODE_TYPE]
        if kind in Path(self.provider_config["missing"]).read_text().split():
            raise NodeLaunchException(
                "InsufficientInstanceCapacity", f"there is no {kind} to be had", None
            )
        return super().create_node_with_resources_and_labels(
            node_config, tags, count, resources, labels
        )

    def _create_node_with_resources_and_labels(
        self, _config: Any, tags: Any, _count: int, resources: Any, labels: Any
    ) -> None:
        kind, address = tags[TAG_RAY_USER_NODE_TYPE], self.provider_config["gcs_address"]
        command = [
            *_RAY_START, f"--address={address}", f"--node-ip-address={address.rpartition(':')[0]}",
            f"--num-cpus={resources['CPU']}",
            f"--num-gpus={resources['GPU']}",
            f"--object-store-memory={resources['object_store_memory']}",
            "--labels=" + ",".join(f"{name}={value}" for name, value in labels.items()),
        ]  # fmt: skip
        # one after the other: those of one machine that start together take each other's files and
        # end
        with self.lock:
            node_id = self._next_hex_node_id()
            known = {
                "RAY_OVERRIDE_NODE_ID_FOR_TESTING": node_id,
                "RAY_CLOUD_INSTANCE_ID": node_id,
                "RAY_NODE_TYPE_NAME": kind,
            }
            process = _started(
                command,
                Path(self.provider_config["logs"]) / f"node-{node_id[-5:]}.log",
                {**os.environ, **known},
            )
            said = {
                TAG_RAY_NODE_KIND: NODE_KIND_WORKER,
                TAG_RAY_NODE_NAME: node_id,
                TAG_RAY_NODE_STATUS: STATUS_UP_TO_DATE,
            }
            self._nodes[node_id] = {"tags": {**said, **tags}, "node": process}

    def _terminate_node(self, node: Any) -> None:
        node["node"].terminate()


class FakeCloud:
    """A head without room for workers, and kinds of nodes with one stand-in GPU each, by name with
    their market.
    """

    def __init__(self, folder: Path, kinds: dict[str, str], *, most: int, idle_s: float) -> None:
        self._folder = folder
        self._missing = folder / "missing"
        self._missing.write_text("")
        port = _free_port()
        self.address = (  # the head listens there, not on loopback
            f"{ray_services.get_node_ip_address()}:{port}"
        )
        client_port = _free_port()
        self.client_address = f"ray://{self.address.rpartition(':')[0]}:{client_port}"
        (folder / "cluster.json").write_text(json.dumps(self._config(kinds, most, idle_s)))
        command = [
            *_RAY_START, "--head", f"--port={port}", "--num-cpus=0", "--num-gpus=0",
            f"--temp-dir={self.session_folder}",
            "--include-dashboard=False", f"--ray-client-server-port={client_port}",
            f"--dashboard-port={_free_port()}",
            "--object-store-memory=100000000", f"--autoscaling-config={folder}/cluster.json",
        ]  # fmt: skip
        environment = {
            "AUTOSCALER_UPDATE_INTERVAL_S": "1", "AUTOSCALER_METRIC_PORT": str(_free_port()),
            "RAY_FAKE_CLUSTER": "1",
            "RAY_AUTH_MODE": "disabled", "RAY_enable_autoscaler_v2": "1",
            "RAY_CLOUD_INSTANCE_ID": _HEAD_ID,
            "RAY_OVERRIDE_NODE_ID_FOR_TESTING": _HEAD_ID,
            "PYTHONPATH": str(Path(__file__).parents[2]),
            # Ray misses a dead node after 4 s, not 12 s, and a frozen one after 55 s
            "RAY_health_check_period_ms": "1000",
        }  # fmt: skip
        self._process = _started(
            command,
            folder / "head.log",
            {**os.environ, **environment},
            start_new_session=True,
            cwd=folder,
        )

    @property
    def pid(self) -> int:
        """The head's process; all others are of its session."""
        return self._process.pid

    @property
    def session_folder(self) -> Path:
        """The folder of Ray's sessions, with the logs of all nodes."""
        return self._folder / "r"

    def _config(self, kinds: dict[str, str], most: int, idle_s: float) -> dict[str, Any]:
        room = {"CPU": 2, "GPU": 1, "object_store_memory": 80_000_000}
        provider = {
            "type": "external", "module": "actors.bench.fake_cloud.Provider",
            "head_node_id": _HEAD_ID, "gcs_address": self.address,
            "launch_multiple": True, "disable_node_updaters": True,
            "disable_launch_config_check": True, "missing": str(self._missing),
            "logs": str(self._folder),
        }  # fmt: skip
        nodes = {
            name: {
                "resources": room,
                "labels": {"farm-market": market},
                "node_config": {},
                "min_workers": 0,
                "max_workers": most,
            }
            for name, market in kinds.items()
        }
        empty = (
            "initialization_commands",
            "setup_commands",
            "head_setup_commands",
            "worker_setup_commands",
            "head_start_ray_commands",
        )
        head = {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0}
        return {
            "cluster_name": "fake", "max_workers": most, "upscaling_speed": 10.0,
            "idle_timeout_minutes": idle_s / 60, "auth": {},
            "docker": {}, "head_node_type": _HEAD_KIND, "provider": provider, "file_mounts": {},
            "cluster_synced_files": [],
            "file_mounts_sync_continuously": False, "rsync_exclude": [], "rsync_filter": [],
            "worker_start_ray_commands": [],
            **{name: [] for name in empty},
            "available_node_types": {**nodes, _HEAD_KIND: head},
        }  # fmt: skip

    def lack(self, *kinds: str) -> None:
        """Give no node of these kinds from now on, and of all others again."""
        self._missing.write_text(" ".join(kinds))

    def nodes(self) -> list[str]:
        """The kinds of the nodes that there are beside the head."""
        status = get_cluster_status(self.address)
        there = [*status.active_nodes, *status.idle_nodes]
        return sorted(node.ray_node_type_name for node in there if node.node_id != _HEAD_ID)

    def drain(self, node_id: str, seconds: float) -> None:
        """Drain a node as a cloud's notice does: it ends after that many seconds."""
        reason = autoscaler_pb2.DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
        deadline_ms = int((time.time() + seconds) * 1000)
        accepted, why = GcsClient(address=self.address).drain_node(
            node_id, reason, "a notice", deadline_ms
        )
        assert accepted, why

    def close(self) -> None:
        mine = self._all()
        for process in mine:
            _quietly(process.kill)
        psutil.wait_procs(mine, timeout=10)
        os.killpg(self._process.pid, signal.SIGKILL) if self._process.poll() is None else None
        self._process.wait(10)

    def _all(self) -> list[psutil.Process]:
        """Those that know its folder or its address, with what they have started: nobody else ends
        a node of a dead head.
        """
        roots = [
            p
            for p in psutil.process_iter()
            if p.pid != os.getpid()
            and (str(self._folder) in (w := _words(p)) or self.address in w)
        ]
        roots = [
            process
            for process in roots
            if "farm." not in _words(process) and "pytest" not in _words(process)
        ]
        found = {process.pid: process for process in roots}
        for process in roots:
            for child in _quietly(lambda process=process: process.children(recursive=True)) or []:
                found.setdefault(child.pid, child)
        return list(found.values())


def _started(
    command: Sequence[str], log: Path, environment: dict[str, str], **options: Any
) -> "subprocess.Popen[bytes]":
    """Start a head or a node, and wait until it runs."""
    with log.open("wb") as file:
        process = subprocess.Popen(command, env=environment, stdout=file, stderr=file, **options)
    ends = time.monotonic() + _PATIENCE_S
    while b"Ray runtime started" not in log.read_bytes():
        assert process.poll() is None, log.read_text()[-3000:]
        assert time.monotonic() < ends, log.read_text()[-3000:]
        time.sleep(0.1)
    return process


def _words(process: psutil.Process) -> str:
    return " ".join(_quietly(process.cmdline) or [])


def _quietly(call: Any) -> Any:
    try:
        return call()
    except psutil.Error:
        return None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    cloud = FakeCloud(Path(sys.argv[1]), {"node": "any"}, most=2, idle_s=float(sys.argv[2]))
    try:
        sys.stdout.write(json.dumps(cloud.address) + "\n")
        sys.stdout.flush()
        for _ in sys.stdin:
            sys.stdout.write(json.dumps(cloud.nodes()) + "\n")
            sys.stdout.flush()
    finally:
        cloud.close()


if __name__ == "__main__":
    main()
