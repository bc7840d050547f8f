"""Many small pictures, put by as many threads through a store of the farm, or by boto3 alone."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import boto3
from botocore.config import Config

from storage.bench.seaweed import Seaweed
from storage.store import SCHEME

Put = Callable[[str, bytes], None]


def puts_per_s(put: Put, pictures: Sequence[tuple[str, bytes]], *, threads: int) -> float:
    """How many pictures a second are put by so many threads, which are there already."""
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(abs, range(threads)))
        began = perf_counter()
        for done in [pool.submit(put, key, data) for key, data in pictures]:
            done.result()
        return len(pictures) / (perf_counter() - began)


def bare_put(bucket: str, *, threads: int) -> Put:
    """boto3's own `put_object`, with a connection for each thread and all else as boto3 comes."""
    client = boto3.session.Session().client("s3", config=Config(max_pool_connections=threads))

    def put(key: str, data: bytes) -> None:
        client.put_object(Bucket=bucket, Key=key, Body=data)

    return put


def bare_get(bucket: str, *, prefix: str) -> Callable[[str, Path], None]:
    """boto3's own parallel download to a file, as it comes: ten threads, parts of 8 MiB."""
    client = boto3.session.Session().client("s3")

    def get(key: str, path: Path) -> None:
        client.download_file(bucket, f"{prefix}/{key}", str(path))

    return get


@contextmanager
def leading_to(server: Seaweed) -> Iterator[None]:
    """Have AWS' own tools, which read the environment, find a server, as long as the block
    lasts.
    """
    before = dict(os.environ)
    os.environ.update(server.environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def make_bucket(name: str) -> str:
    """A new bucket on the server that the environment names; returns its address."""
    boto3.session.Session().client("s3").create_bucket(Bucket=name)
    return f"{SCHEME}{name}"
