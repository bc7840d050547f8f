"""The pages of models and of brand packs."""

import httpx
import pytest
import yaml

from actors.models.models import SEEDLING
from farm.client.client import Client
from farm.config import read_settings
from farm.service.secrets import new_secret
from farm.web.library import newest_of, rule_sentences
from storage.database import closing_engine
from storage.profiles import Profiles
from storage.queue import Queue
from storage.rows import WorkerRow
from storage.states import WorkerState
from storage.tokens import Tokens
from storage.watching import Watching
from tests.adapters import save_adapter
from tests.campaigns import campaign
from tests.web.conftest import served
from tests.web.looking import assert_everybody_can_use
from tests.web.painted import paint

ADMIN = "the-token-of-the-admin-here"
PACK = {
    "name": "acme",
    "texts": {"style": "<b>matte</b>"},
    "negative": "grain",
    "banned": ["cheap", "best ever"],
    "sizes": ["128x128"],
    "settings": {"guidance": 3.0},
    "locked": ["guidance"],
    "palette": {"colors": ["#d62828", "#003049"]},
    "rules": {"copy_space": {"side": "top", "height": 0.2}, "border": "none"},
    "on_violation": "hold",
}


def warm(settings, digest, *names):
    """Workers that have a model warm."""
    with closing_engine(settings.database_address) as engine:
        session = Queue(engine).lead(owner="o", host="h", pid=1)
        rows = [
            WorkerRow(name=name, state=WorkerState.IDLE, node="n", device="cpu",
                      numerics_class="c", warm=digest, loaded=(digest,))
            for name in names
        ]  # fmt: skip
        Watching(engine).save_workers(session, rows)


@pytest.fixture
def painted(client, settings):
    """A model that was painted with and measured, and that two workers have warm."""
    client.submit(campaign(name="spring"))
    client.submit(campaign(name="autumn"))
    paint(settings)
    (model,) = client.models()
    facts = '{"batch_s": [0.5], "megapixel_steps": 0.25, "loads": 1, "load_s": 4}'
    with closing_engine(settings.database_address) as engine:
        Profiles(engine).learn(model.digest, {"grip": 0.2})
        with engine.begin() as connection:
            change = "UPDATE attempts SET megapixel_steps = 1, facts = ?"
            connection.exec_driver_sql(change, (facts,))
    warm(settings, model.digest, "gpu-1", "gpu-2")
    return client


def test_models_are_told_with_what_was_measured_and_who_has_them_warm(painted, http):
    (model,) = painted.models()
    assert (model.model, model.family) == ("seedling", "Stable Diffusion 1 and 2")
    assert (model.campaigns, model.grip, model.load_s) == (2, 0.2, 4.0)
    assert model.seconds_per_megapixel_step == 2.0
    assert (model.warm, model.workers) == (2, ["gpu-1", "gpu-2"])
    text = " ".join(http.get("/models").text.split())
    for words in ("gpu-1, gpu-2", "20 %", "too little for medians", "4 s", "Stable Diffusion 1"):
        assert words in text


def test_models_and_brands_of_others_are_not_told(tmp_path):
    settings = read_settings(home=tmp_path / "home", token=ADMIN)
    with served(settings) as url:
        with Client(url, token=ADMIN, project="acme") as admin:
            admin.submit(campaign(name="spring"))
            admin.add_brand(PACK)
            digest = admin.models()[0].digest
        warm(settings, digest, "gpu-1")
        found = {}
        for project in ("acme", "other"):
            secret = new_secret()
            with closing_engine(settings.database_address) as engine:
                Tokens(engine).create(
                    token_id=secret.id, person=project, digest=secret.digest,
                    expires_in_s=None, project=project, role="viewer",
                )  # fmt: skip
            asked = {"headers": {"Authorization": f"Bearer {secret.text}"}}
            found[project] = [
                httpx.get(f"{url}/api/v1/models", **asked).json(),
                httpx.get(f"{url}/brands", **asked).text,
                httpx.get(f"{url}/brands/acme/acme", **asked).status_code,
            ]
    (mine,), brands, status = found["acme"]
    assert (mine["warm"], mine["workers"], status) == (1, None, 200)
    assert "/brands/acme/acme" in brands
    assert found["other"][0] == []
    assert "No brands yet" in found["other"][1]
    assert found["other"][2] == 404


def test_a_pack_is_shown_with_its_rules_colours_and_campaigns(client, http):
    client.add_brand(PACK)
    client.submit(campaign(name="spring", brand="acme@1", settings={"size": "128x128"}))
    listed = http.get("/brands").text
    assert "#d62828" in listed
    assert "Used by campaigns" in listed
    text = http.get("/brands/default/acme").text
    shown = (
        "&lt;b&gt;matte&lt;/b&gt;", "cheap, best ever", "the top 20%", "no frame", "locked",
        "held until a person has looked", "/campaigns/default/spring", "128x128",
    )  # fmt: skip
    for words in shown:
        assert words in text
    assert http.get("/brands/default/acme", params={"version": 7}).status_code == 404
    assert http.get("/brands/default/nobody").status_code == 404


def test_everybody_can_read_them_in_every_window(look, painted):
    painted.add_brand(PACK)
    for path in ("/models", "/brands", "/brands/default/acme"):
        assert_everybody_can_use(look.open(path))


def test_registered_adapters_are_shown_with_their_version(client, http, tmp_path):
    added = client.register(
        "house", str(save_adapter(SEEDLING, tmp_path / "a.safetensors")), kind="adapters"
    )
    text = " ".join(http.get("/models").text.split())
    assert f'house <code class="soft">{added.digest[:12]}</code>' in text


def test_a_farm_without_any_says_what_to_do(http):
    assert "No models yet" in http.get("/models").text
    assert "farm brands add" in http.get("/brands").text


def test_the_newest_version_of_a_brand_stands_for_it():
    rows = [
        {"project": project, "name": name, "version": version}
        for project, name, version in (("p", "a", 1), ("p", "a", 2), ("q", "a", 1))
    ]
    found = newest_of(rows)
    assert [(row["project"], row["version"], row["versions"]) for row in found] == [
        ("p", 2, 2),
        ("q", 1, 1),
    ]


def test_rules_are_sentences():
    pack = yaml.safe_load("""
        rules:
          copy_space: {side: left, width: 0.3, busy: 0.05}
          safe_area: {margin: 0.05}
          clipped: {at_most: 0.02}
          sharpness: {at_least: 0.1}
        palette: {colors: ["#d62828"], within: 10, share: 0.1}
    """)
    assert rule_sentences(pack) == [
        "An even area for text: the left 30%, with edges on at most 5% of it.",
        "The subject stays 5% away from every edge; at most 8% of it may not.",
        "At most 2% of the pixels are pure white or black.",
        "Its sharpness is at least 0.1.",
        "At least 10% of the pixels are within ΔE00 10 of a colour of the palette.",
    ]
    assert rule_sentences({}) == []
