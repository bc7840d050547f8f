"""The cluster's nodes that are about to end, as Ray's head knows them."""

import logging
import time
from collections.abc import Collection

import ray

# compiled: the only client of a head that needs no driver
from ray._raylet import GcsClient  # type: ignore[attr-defined]
from ray.core.generated import autoscaler_pb2

_GCS_PORT = 6379
_GCS_TIMEOUT_S = 2
_FAR_OFF_S = 7 * 86_400.0
"""A drain with a later deadline does not end a machine: the worker may finish its chunk."""

log = logging.getLogger(__name__)


class Nodes:
    """Which nodes Ray drains, and when they end."""

    def __init__(self, address: str, gcs: str | None) -> None:
        """`address` is that of the cluster, `gcs` that of its head if it does not follow from
        it.
        """
        self._address, self._gcs_address = address, gcs
        self._gcs: GcsClient | None = None
        self._ends_at: dict[str, float] = {}

    def leaving(self, node_ids: Collection[str], now: float) -> dict[str, float | None]:
        """Those of the nodes that are about to end, with the seconds that are left; None if the
        node waits for its workers.

        It does not matter who drains a node: Ray's autoscaler, SIGTERM to the node, or `drain`.
        """
        leaving: dict[str, float | None] = {}
        for node_id, left_s in self._draining().items():
            if node_id in node_ids:
                # A later notice may take the deadline back: the first one stands.
                if left_s is not None and left_s < _FAR_OFF_S:
                    self._ends_at.setdefault(node_id, now + left_s)
                ends_at = self._ends_at.get(node_id)
                leaving[node_id] = None if ends_at is None else ends_at - now
        return leaving

    def drain(self, node_id: str) -> None:
        """Have Ray put nothing more on a node, and end it after the last worker there has
        ended.
        """
        reason = autoscaler_pb2.DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
        deadline_ms = int((time.time() + 10 * _FAR_OFF_S) * 1000)
        try:
            accepted, why = self._client().drain_node(
                node_id, reason, "drained by an operator", deadline_ms
            )
        # it raises any error of gRPC; the node may have ended by itself
        except Exception as exc:  # noqa: BLE001
            accepted, why = False, str(exc)
        if not accepted:
            log.warning("Ray does not drain node %s: %s action=drain", node_id, why)

    def _draining(self) -> dict[str, float | None]:
        try:
            deadlines = self._client().get_draining_nodes(timeout=_GCS_TIMEOUT_S)
        # it raises any error of gRPC; the head may be restarting
        except Exception as exc:  # noqa: BLE001
            log.warning("Ray does not say which nodes it drains: %s action=drain", exc)
            return {}
        return {
            node_id: None if not ms else ms / 1000 - time.time()
            for node_id, ms in deadlines.items()
        }

    def _client(self) -> GcsClient:
        if self._gcs is None:
            address = self._gcs_address
            if address is None and self._address.startswith("ray://"):
                host = self._address.removeprefix("ray://").rpartition(":")[0]
                address = f"{host}:{_GCS_PORT}"
            self._gcs = GcsClient(address=address or ray.get_runtime_context().gcs_address)
        return self._gcs
