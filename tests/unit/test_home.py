"""Files of the home: whole or not there, whenever another process looks, and for nobody else."""

import json
from contextlib import ExitStack
from pathlib import Path

import pytest

from farm.home import Home

FILES = {
    "farm.id": lambda home, _stack: home.owner(),
    "ray.token": lambda home, _stack: home.new_cluster_token(),
    "farm.token": lambda home, stack: stack.enter_context(home.own_token()),
    "farm.json": lambda home, stack: stack.enter_context(home.published("http://127.0.0.1:1")),
}


class Torn(Exception):
    """The rest of a file is not written."""


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_there_as_a_whole_or_not_at_all(tmp_path, monkeypatch, name):
    def half(path, text):
        with path.open("w") as file:
            file.write(text[:3])
        assert name not in {entry.name for entry in tmp_path.iterdir()}
        raise Torn

    home = Home(tmp_path)
    with monkeypatch.context() as patch, ExitStack() as stack:
        patch.setattr(Path, "write_text", half)
        with pytest.raises(Torn):
            FILES[name](home, stack)
    assert list(tmp_path.iterdir()) == []
    with ExitStack() as stack:
        FILES[name](home, stack)
        assert [entry.name for entry in tmp_path.iterdir()] == [name]
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def test_an_address_that_is_published_takes_the_place_of_the_one_before_and_goes(tmp_path):
    home = Home(tmp_path)
    (tmp_path / "farm.json").write_text(json.dumps({"url": "http://127.0.0.1:1", "pid": 1}))
    with home.published("http://127.0.0.1:2"):
        assert home.published_url() == "http://127.0.0.1:2"
    assert home.published_url() is None
