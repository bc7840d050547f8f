"""A Ray cluster that grows on this machine as one in a cloud does: autoscaler v2, with processes for nodes. Only its own are ever ended.

For tests, and for `farm bench fleet` as a program: `python -m actors.fake_cloud FOLDER` prints its address, and for each line that it is
sent the kinds of its nodes; it ends with its standard input. Ray's own helper for this (`AutoscalingCluster`) is broken in the wheel, and
would end every Ray of the machine.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import ray._private.services as ray_services
from ray._raylet import GcsClient  # type: ignore[attr-defined]  # compiled
from ray.autoscaler._private.fake_multi_node.node_provider import FakeMultiNodeProvider
from ray.autoscaler.node_launch_exception import NodeLaunchException
from ray.autoscaler.tags import TAG_RAY_USER_NODE_TYPE
from ray.autoscaler.v2.sdk import get_cluster_status
from ray.core.generated import autoscaler_pb2

_HEAD_ID = "fffffffffffffffffffffffffffffffffffffffffffffffffff00000"
_HEAD_KIND = "ray.head.default"  # as the provider calls it
_PATIENCE_S = 120.0


class Provider(FakeMultiNodeProvider):  # type: ignore[misc]  # Ray's types are not followed
    """Gives no node of the kinds that a file names; Ray's head imports it from here."""

    def create_node_with_resources_and_labels(self, node_config: Any, tags: Any, count: int, resources: Any, labels: Any) -> Any:
        kind = tags[TAG_RAY_USER_NODE_TYPE]
        if kind in Path(self.provider_config["missing"]).read_text().split():
            raise NodeLaunchException("InsufficientInstanceCapacity", f"there is no {kind} to be had", None)
        return super().create_node_with_resources_and_labels(node_config, tags, count, resources, labels)


class FakeCloud:
    """A head without room for workers, and kinds of nodes with one stand-in GPU each, by name with their market."""

    def __init__(self, folder: Path, kinds: dict[str, str], *, most: int, idle_s: float) -> None:
        self._folder = folder
        self._missing = folder / "missing"
        self._missing.write_text("")
        self._log = folder / "head.log"
        port = _free_port()
        self.address = f"{ray_services.get_node_ip_address()}:{port}"  # the head listens there, not on loopback
        client_port = _free_port()
        self.client_address = f"ray://{self.address.rpartition(':')[0]}:{client_port}"
        (folder / "cluster.json").write_text(json.dumps(self._config(kinds, most, idle_s)))
        command = [
            str(Path(sys.executable).with_name("ray")), "start", "--head", "--block", f"--port={port}", "--num-cpus=0", "--num-gpus=0",
            f"--temp-dir={folder}/r", "--include-dashboard=False", "--dashboard-agent-listen-port=0",
            f"--ray-client-server-port={client_port}", f"--dashboard-port={_free_port()}", "--object-store-memory=100000000",
            "--disable-usage-stats", f"--autoscaling-config={folder}/cluster.json",
        ]  # fmt: skip
        environment = {
            "AUTOSCALER_UPDATE_INTERVAL_S": "1", "AUTOSCALER_METRIC_PORT": str(_free_port()), "RAY_FAKE_CLUSTER": "1",
            "RAY_AUTH_MODE": "disabled", "RAY_enable_autoscaler_v2": "1", "RAY_CLOUD_INSTANCE_ID": _HEAD_ID,
            "RAY_OVERRIDE_NODE_ID_FOR_TESTING": _HEAD_ID, "PYTHONPATH": str(Path(__file__).parents[1]),
        }  # fmt: skip
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, env={**os.environ, **environment}, stdout=log, stderr=log, start_new_session=True, cwd=folder
            )
        self._wait_until(lambda: b"Ray runtime started" in self._log.read_bytes())

    def _config(self, kinds: dict[str, str], most: int, idle_s: float) -> dict[str, Any]:
        room = {"CPU": 2, "GPU": 1, "object_store_memory": 80_000_000}
        provider = {
            "type": "external", "module": "actors.fake_cloud.Provider", "head_node_id": _HEAD_ID, "gcs_address": self.address,
            "launch_multiple": True, "disable_node_updaters": True, "disable_launch_config_check": True, "missing": str(self._missing),
        }  # fmt: skip
        nodes = {
            name: {"resources": room, "labels": {"farm-market": market}, "node_config": {}, "min_workers": 0, "max_workers": most}
            for name, market in kinds.items()
        }
        empty = ("initialization_commands", "setup_commands", "head_setup_commands", "worker_setup_commands", "head_start_ray_commands")
        return {
            "cluster_name": "fake", "max_workers": most, "upscaling_speed": 10.0, "idle_timeout_minutes": idle_s / 60, "auth": {},
            "docker": {}, "head_node_type": _HEAD_KIND, "provider": provider, "file_mounts": {}, "cluster_synced_files": [],
            "file_mounts_sync_continuously": False, "rsync_exclude": [], "rsync_filter": [], "worker_start_ray_commands": [],
            **{name: [] for name in empty},
            "available_node_types": {**nodes, _HEAD_KIND: {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0}},
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
        """What a cloud's notice becomes: so long, and the node is gone."""
        reason = autoscaler_pb2.DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
        deadline_ms = int((time.time() + seconds) * 1000)
        accepted, why = GcsClient(address=self.address).drain_node(node_id, reason, "a notice", deadline_ms)
        assert accepted, why

    def processes(self, word: str) -> list[psutil.Process]:
        """Its processes whose command line has a word."""
        return [process for process in self._all() if word in _words(process)]

    def kill_node(self, node_id: str) -> None:
        """A machine that is gone: its raylet and all that runs below it, at once."""
        raylets = [
            process
            for process in self.processes("raylet/raylet")
            if f"--node_id={node_id}" in _words(process) or node_id in _words(process)
        ]
        assert raylets, [_words(process)[:300] for process in self.processes("raylet/raylet")]
        for process in [*raylets[0].children(recursive=True), raylets[0]]:
            process.kill()

    def close(self) -> None:
        mine = self._all()
        for process in mine:
            _quietly(process.kill)
        psutil.wait_procs(mine, timeout=10)
        os.killpg(self._process.pid, signal.SIGKILL) if self._process.poll() is None else None
        self._process.wait(10)

    def _all(self) -> list[psutil.Process]:
        """Those that know its folder or its address, with what they have started: nobody else ends a node of a head that is gone."""
        roots = [p for p in psutil.process_iter() if p.pid != os.getpid() and (str(self._folder) in (w := _words(p)) or self.address in w)]
        roots = [process for process in roots if "farm." not in _words(process) and "pytest" not in _words(process)]
        found = {process.pid: process for process in roots}
        for process in roots:
            for child in _quietly(lambda process=process: process.children(recursive=True)) or []:
                found.setdefault(child.pid, child)
        return list(found.values())

    def _wait_until(self, condition: Any) -> None:
        ends = time.monotonic() + _PATIENCE_S
        while not condition():
            assert self._process.poll() is None, self._log.read_text()[-3000:]
            assert time.monotonic() < ends, self._log.read_text()[-3000:]
            time.sleep(0.1)


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
