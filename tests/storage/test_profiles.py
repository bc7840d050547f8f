"""Measurements of models: what two people measure at once is all kept."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from storage.profiles import Profiles


def at_once(calls):
    barrier = Barrier(len(calls))

    def run(call):
        barrier.wait(timeout=30)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


@pytest.mark.parametrize("known", [{}, {"grip": 0.5}])
def test_measurements_that_come_at_once_are_all_kept(engine, known):
    profiles = Profiles(engine)
    for turn in range(5):
        digest = f"d{turn}"
        if known:
            profiles.learn(digest, known)
        at_once([lambda k=k, d=digest: profiles.learn(d, {f"m{k}": k}) for k in range(6)])
        assert profiles.get(digest) == known | {f"m{k}": k for k in range(6)}


def test_the_measurements_of_one_model_are_not_those_of_another(engine):
    profiles = Profiles(engine)
    profiles.learn("d", {"grip": 0.5})
    profiles.learn("e", {"grip": 0.25})
    assert (profiles.get("d"), profiles.get("e")) == ({"grip": 0.5}, {"grip": 0.25})
    assert profiles.learn("d", {"grip": None}) == {"grip": None}
