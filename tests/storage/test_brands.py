"""Versions of brand packs: added, changed until a campaign uses them, and frozen then."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from storage.errors import NotFound, RequestError


def add(brands, digest, name="acme", project="p"):
    row, did = brands.add(project, name, digest, {"name": name, "contents": digest})
    return row.version, did


def test_a_version_is_changed_until_it_is_used_and_then_another_follows(brands):
    assert add(brands, "a") == (1, "added")
    assert add(brands, "a") == (1, "known")
    assert add(brands, "b") == (1, "changed")
    brands.freeze("p", "acme", 1, "b")
    assert add(brands, "b") == (1, "known")
    assert add(brands, "c") == (2, "added")
    assert add(brands, "d") == (2, "changed")
    assert [(row.version, row.digest) for row in brands.all("p")] == [(1, "b"), (2, "d")]
    assert brands.get("p", "acme").document == {"name": "acme", "contents": "d"}
    assert brands.get("p", "acme", 1).frozen_at is not None
    assert brands.get("p", "acme", 2).frozen_at is None


def test_a_version_that_is_another_by_now_cannot_be_frozen(brands):
    add(brands, "a")
    add(brands, "b")
    with pytest.raises(RequestError, match="acme@1 was changed while"):
        brands.freeze("p", "acme", 1, "a")
    with pytest.raises(RequestError, match="acme@7 was changed while"):
        brands.freeze("p", "acme", 7, "b")
    brands.freeze("p", "acme", 1, "b")
    frozen_at = brands.get("p", "acme", 1).frozen_at
    brands.freeze("p", "acme", 1, "b")
    assert brands.get("p", "acme", 1).frozen_at == frozen_at


def test_a_missing_brand_or_version_is_told_with_those_that_there_are(brands):
    with pytest.raises(NotFound, match="no brand acme: `farm brands add FILE` adds one"):
        brands.get("p", "acme")
    add(brands, "a")
    with pytest.raises(NotFound, match="no brand amce: it has acme"):
        brands.get("p", "amce")
    with pytest.raises(NotFound, match="no version 4: there are 1"):
        brands.get("p", "acme", 4)
    with pytest.raises(NotFound, match="The project q has no brand acme"):
        brands.get("q", "acme", 1)


def test_packs_that_are_added_at_once_all_find_their_place(brands):
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda k: add(brands, "same", name=f"b{k % 2}"), range(8)))
    assert sorted(did for _, did in found) == ["added"] * 2 + ["known"] * 6
    assert [row.version for row in brands.all("p")] == [1, 1]
