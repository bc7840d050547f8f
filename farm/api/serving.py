"""Serving an application over HTTP from a thread of this process."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import uvicorn
from fastapi import FastAPI

from farm.api.connections import ACCEPTED, QUEUE, Connection
from farm.setting_groups import HOST
from storage.errors import RequestError


class _Server(uvicorn.Server):  # type: ignore[misc]  # uvicorn's types are not followed
    async def startup(self, sockets: list[socket.socket]) -> None:
        await super().startup(sockets)
        for listener in sockets:
            listener.listen(
                QUEUE
            )  # asyncio has one number for this and for how many it accepts at a time


@contextmanager
def serve(app: FastAPI, port: int, host: str = HOST) -> Iterator[str]:
    """Serve an application from a thread, with the bounds of its `state.connections`, believing
    its `state.proxies` who asks; gives its address on this machine. Port 0 takes a free one.
    """
    # The protocol is named because asyncio sends at once only through sockets that name it: else
    # each answer waits 40 ms for an acknowledgement between its head and its body.
    listener = socket.socket(
        socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP
    )
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as exc:
        listener.close()
        raise RequestError(
            f"Port {port} on {host} cannot be had ({exc.strerror or exc}): choose another with"
            " --port or FARM_PORT."
        ) from exc
    protocol = partial(Connection, app.state.connections)
    proxies = [str(network) for network in app.state.proxies]
    server = _Server(
        uvicorn.Config(
            app,
            http=protocol,
            ws="none",
            backlog=ACCEPTED,
            log_config=None,
            access_log=False,
            proxy_headers=bool(proxies),  # anybody else can write those
            forwarded_allow_ips=proxies,
            lifespan="off",
        )
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    listener.listen(
        QUEUE
    )  # connections wait in the kernel until the server is up, so nobody has to
    thread.start()
    try:
        yield f"http://{_shown(host)}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        if (listeners := getattr(app.state, "listeners", None)) is not None:
            listeners.is_over.set()  # else their answers would end only with them
        thread.join(10)
        listener.close()


def _shown(host: str) -> str:
    """An address under which this machine reaches what it serves on a host."""
    if host in ("0.0.0.0", "::"):  # noqa: S104  # nothing is bound here
        return HOST
    return f"[{host}]" if ":" in host else host
