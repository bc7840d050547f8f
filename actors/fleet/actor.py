"""The Ray actor: a painter in a process of its own, with one thread that paints and two that
answer.
"""

import logging
import os
import threading
from dataclasses import replace
from pathlib import Path

import ray

from actors.fleet.settings import FleetSettings
from actors.recipes.jobs import ChunkJob, ChunkResult, Health
from storage.log_events import KeptEvents, PlainLines
from storage.outputs import open_outputs
from storage.redaction import Redaction, secrets_in

PAINT, CONTROL = "paint", "control"


class RenderActor:
    """One worker. `render_actor` wraps it; the dispatcher calls its methods through Ray."""

    def __init__(self, name: str, settings: FleetSettings) -> None:
        """An actor that hears from no dispatcher for `orphan_s` seconds ends itself, so that it
        does not keep a device that nobody uses.

        Raises DeviceTaken if another process has the GPU.
        """
        # Imported here: the dispatcher imports this file too, and torch and diffusers would cost
        # it 12 seconds and 300 MB.
        from actors.fleet.notices import Watch, open_notice  # noqa: PLC0415
        from actors.models.cache import WeightsCache  # noqa: PLC0415
        from actors.painting.engine import Engine  # noqa: PLC0415
        from actors.painting.gpu import open_nvml  # noqa: PLC0415
        from actors.painting.memory import require_free  # noqa: PLC0415
        from actors.painting.painter import Painter  # noqa: PLC0415
        from actors.painting.resting import RestingEngine  # noqa: PLC0415

        self._log = _log_events()
        s = settings
        engine: Engine | RestingEngine
        if s.rest_s is None:
            engine = Engine(device=s.device, threads=s.threads, memory=s.memory_bytes)
            require_free(engine.device, s.gpus)
        else:
            engine = RestingEngine(s.rest_s, s.rest_spread)
        outputs = open_outputs(s.outputs, s3_style=s.s3_style)
        cache = WeightsCache(Path(s.cache), outputs, limit=s.cache_bytes) if s.cache else None
        self._painter: Painter = Painter(name, engine, outputs, cache)
        self._nvml = open_nvml(engine.device)
        self._watch = Watch(open_notice(s.notices)) if s.notices else None
        self._node_id = ray.get_runtime_context().get_node_id()
        self._heard = threading.Event()
        threading.Thread(target=self._end_if_orphaned, args=(s.orphan_s,), daemon=True).start()

    # Ray's types are not followed
    @ray.method(concurrency_group=PAINT)  # type: ignore[untyped-decorator]
    def paint(self, job: ChunkJob) -> ChunkResult:
        return self._painter.paint(job)

    # Ray's types are not followed
    @ray.method(concurrency_group=CONTROL)  # type: ignore[untyped-decorator]
    def health(self) -> Health:
        self._heard.set()
        leaves_in_s = self._watch.left_s() if self._watch else None
        return replace(
            self._painter.health(),
            node_id=self._node_id,
            leaves_in_s=leaves_in_s,
            gpu=self._nvml.look() if self._nvml else None,
            log=self._log.take(),
        )

    # Ray's types are not followed
    @ray.method(concurrency_group=CONTROL)  # type: ignore[untyped-decorator]
    def expect(self, job: ChunkJob) -> None:
        self._painter.expect(job)

    # Ray's types are not followed
    @ray.method(concurrency_group=CONTROL)  # type: ignore[untyped-decorator]
    def acknowledge(self, chunk_id: int, lease: int) -> None:
        self._painter.acknowledge(chunk_id, lease)

    # Ray's types are not followed
    @ray.method(concurrency_group=CONTROL)  # type: ignore[untyped-decorator]
    def stop(self, chunk_id: int, lease: int, at_step: bool) -> None:
        self._painter.stop(chunk_id, lease, at_step=at_step)

    def _end_if_orphaned(self, orphan_s: float) -> None:
        while self._heard.wait(orphan_s):
            self._heard.clear()
        os._exit(0)


def _log_events() -> KeptEvents:
    """Log to this process's output, which Ray keeps on its node, and keep the latest events for
    the dispatcher, without secrets.
    """
    redact = Redaction(secrets_in(os.environ))
    kept, own = KeptEvents(redact), logging.StreamHandler()
    own.setFormatter(PlainLines(redact))
    logging.basicConfig(level=logging.INFO, handlers=[own, kept], force=True)
    # httpx would log each request for the cloud's notices
    logging.getLogger("httpx").setLevel(logging.WARNING)
    return kept


# One thread paints: a device has one stream of work, and torch keeps settings by thread. Two
# answer meanwhile.
render_actor = ray.remote(concurrency_groups={PAINT: 1, CONTROL: 2})(RenderActor)
