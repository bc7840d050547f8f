"""Addresses of files as people write them: what they mean on this machine, and what cannot be
one.
"""

from pathlib import Path

import pytest
import yaml

from farm.campaign.addresses import adapter_address, hint, path_of, whole_address
from farm.campaign.loading import load_campaign
from storage.errors import RequestError
from tests.campaigns import data

HOME = Path("/home/ada")
WRITTEN = {
    "a.png": "/shop/a.png",
    "../a.png": "/a.png",
    "/x/./a.png": "/x/a.png",
    "~": "/home/ada",
    "~/a.png": "/home/ada/a.png",
    "~nobody-of-that-name/a.png": "/shop/~nobody-of-that-name/a.png",
    "./~/a.png": "/shop/~/a.png",
    "a~.png": "/shop/a~.png",
    "file:///x/a%20b.png": "/x/a b.png",
    "FILE://localhost/x/a.png": "/x/a.png",
    "file://nas/a.png": "file://nas/a.png",
    "file:///[": "/[",
    "s3://b/a.png": "s3://b/a.png",
    "https://x.example/a.png": "https://x.example/a.png",
    "hf://owner/name": "hf://owner/name",
    "data:image/png;base64,AA": "data:image/png;base64,AA",
    "c:a.png": "/shop/c:a.png",
    "a:b.png": "/shop/a:b.png",
}


@pytest.mark.parametrize("written", WRITTEN)
def test_an_address_is_made_whole(monkeypatch, written):
    monkeypatch.setenv("HOME", str(HOME))
    assert whole_address(written, Path("/shop")) == WRITTEN[written]


NAMES = {
    "house": "house",
    "house@0123abcd": "house@0123abcd",
    "there": "{}/there",
    "./house": "{}/house",
    "house.safetensors": "{}/house.safetensors",
    "House": "{}/House",
    "house@0123": "{}/house@0123",
    "~": "/home/ada",
    "a\0b": "{}/a\0b",
}


@pytest.mark.parametrize("written", NAMES)
def test_an_adapter_is_named_only_if_there_is_no_such_file(monkeypatch, tmp_path, written):
    monkeypatch.setenv("HOME", str(HOME))
    (tmp_path / "there").mkdir()
    assert adapter_address(written, tmp_path) == NAMES[written].format(tmp_path)


REFUSED = {
    "a.png": "the path is not absolute",
    "~/a.png": "whose home `~` is",
    "http://x.example/a.png": "it is an address on the web",
    "file://nas/a.png": "addresses like file:// are not read",
    "file://[/a.png": "addresses like file:// are not read",
    "az://b/a.png": "addresses like az:// are not read",
    "data:image/png;base64,AA": "cannot stand in the campaign itself",
    "s3://b/a.png": "only references come from buckets",
}


@pytest.mark.parametrize("address", REFUSED)
def test_an_address_that_is_no_path_is_refused(address):
    with pytest.raises(RequestError, match=REFUSED[address]):
        path_of(address)


def test_paths_and_addresses_of_files_are_paths():
    assert path_of("/x/a.png") == path_of("file:///x/a.png") == Path("/x/a.png")


def test_a_hint_is_given_for_patterns_alone():
    assert (
        hint("/x/*.png")
        == hint("/x/a?.png")
        == hint("/x/[ab].png")
        == " Patterns are not expanded: name each file."
    )
    assert hint("/x/a.png") == ""


def test_a_model_may_lie_in_the_home_of_whoever_submits(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "models" / "mine").mkdir(parents=True)
    (tmp_path / "campaign.yaml").write_text(yaml.safe_dump(data(model="~/models/mine")))
    assert load_campaign(tmp_path / "campaign.yaml").campaign.model == str(
        tmp_path / "models" / "mine"
    )
