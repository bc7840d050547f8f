"""Registered models in the job database, on both engines."""

from dataclasses import replace

import pytest

from farm.campaign.chunks import chunks_of
from farm.campaign.sources import Sources
from farm.campaign.specs import make_spec
from farm.service.new_campaign import new_campaign
from storage.author import Author, author
from storage.errors import Conflict, NotFound
from storage.event_kinds import EventKind
from storage.events import Events, Wanted
from storage.registry import Registry, listed
from tests.campaigns import MODEL, campaign, expansion


@pytest.fixture
def registry(engine):
    return Registry(engine)


def add(registry, name="flux", digest="a" * 64, files=("f1",), kind="model"):
    about = {"pipeline": "P", "licence": None, "source": "/m", "files": 1}
    manifest = f"{name}-{digest}"[:64]
    row, did = registry.add(
        kind, name, digest, manifest=manifest, files=files, size=7, about=about
    )
    return row if did == "added" else did


def test_a_name_stands_for_what_was_added_last_and_earlier_versions_keep_their_digest(registry):
    first = add(registry, digest="a" * 64)
    second = add(registry, digest="b" * 64)
    assert registry.get("model", "flux") == second
    assert registry.get("model", "flux", "aaaaaaaa") == first
    assert [row.label for row in registry.all("model")] == [
        "flux@bbbbbbbbbbbb",
        "flux@aaaaaaaaaaaa",
    ]
    assert add(registry, digest="a" * 64) == "known"
    assert registry.get("model", "flux").digest == "a" * 64
    assert registry.all("adapter") == []


def test_whoever_adds_is_written_down_and_every_change_is_an_event(registry, engine):
    set_to = author.set(Author(name="mira", token_id="t"))
    try:
        row = add(registry)
        add(registry)
    finally:
        author.reset(set_to)
    registry.remove(row)
    registry.remove(row)
    assert row.added_by == "mira"
    found = list(Events(engine).all(Wanted(kinds=("registry.added", "registry.removed"))))
    assert [(event.kind, event.data.get("did")) for event in found] == [
        (EventKind.REGISTRY_ADDED, "added"),
        (EventKind.REGISTRY_ADDED, "known"),
        (EventKind.REGISTRY_REMOVED, None),
    ]
    assert found[0].data == {
        "kind": "model", "name": "flux", "digest": "a" * 64, "did": "added"
    }  # fmt: skip
    assert found[0].author == "mira"


def test_what_is_not_there_is_told_with_what_is(registry):
    with pytest.raises(NotFound, match="no registered model flux: `farm models add` adds one"):
        registry.get("model", "flux")
    add(registry)
    with pytest.raises(NotFound, match="no registered model sdxl: there are flux"):
        registry.get("model", "sdxl")
    with pytest.raises(NotFound, match="no version 0000: it has flux@aaaaaaaaaaaa"):
        registry.get("model", "flux", "0000")
    assert registry.find("model", "sdxl") is None
    assert listed([str(k) for k in range(12)]) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"


def test_a_beginning_that_two_versions_have_names_neither(registry):
    add(registry, digest="a" * 64)
    add(registry, digest="a" * 63 + "b")
    with pytest.raises(Conflict, match="give more digits"):
        registry.find("model", "flux", "aaaaaaaa")


def test_a_file_is_needed_for_as_long_as_one_version_has_it(registry):
    one = add(registry, name="one", files=("f1", "f2"))
    two = add(registry, name="two", files=("f2",))
    assert registry.needs("f1")
    registry.remove(one)
    assert not registry.needs("f1")
    assert registry.needs("f2")
    registry.remove(two)
    assert not registry.needs("f2")


def test_a_model_that_a_campaign_still_needs_cannot_be_removed(registry, campaigns, control):
    row = add(registry)
    spec = make_spec(campaign(), replace(MODEL, manifest=row.manifest), Sources())
    new = new_campaign("p", expansion(), spec)
    stored = campaigns.add(new, chunks_of(expansion(), range(18), lambda *_: 18))
    with pytest.raises(Conflict, match="the campaign p/spring still needs it"):
        registry.remove(row)
    control.cancel(stored.id)
    registry.remove(row)
    assert registry.all("model") == []
