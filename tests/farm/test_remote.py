"""What a farm gives away of its machine to those who reach it from elsewhere: nothing but what its
operator names.
"""

import shutil
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

import farm as package
from actors.models.models import SEEDLING
from farm.app import open_app, serve
from farm.config import read_settings
from farm.service.local_files import NOT_TAKEN
from storage.campaigns import Campaigns
from storage.database import closing_engine
from storage.queue import Queue
from storage.rows import RenderOutcome, Settlement
from storage.settling import Settling
from storage.states import Reason, RenderState
from tests.campaigns import data

TOKEN = "a-token-of-sixteen-or-more"
LAYER = "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"


@pytest.fixture
def brand(tmp_path):
    """A folder that the operator allows, with a picture, an adapter, a model, and links that lead
    out of it.
    """
    folder, outside = tmp_path / "brand", tmp_path / "outside"
    for place in (folder, outside, tmp_path / "brand-of-others"):
        place.mkdir()
        Image.new("RGB", (40, 32), (90, 20, 20)).save(place / "a.png")
        down, up = np.full((2, 128), 0.5, np.float32), np.ones((128, 2), np.float32)
        save_file(
            {f"{LAYER}.lora_A.weight": down, f"{LAYER}.lora_B.weight": up}, place / "a.safetensors"
        )
        shutil.copytree(SEEDLING, place / "model")
    (folder / "link.png").symlink_to(outside / "a.png")
    (folder / "link").symlink_to(outside)
    (folder / "circle").symlink_to(folder / "circle")
    return folder


@pytest.fixture
def remote(tmp_path, brand):
    """Asks a farm that others reach, which allows `brand`."""
    settings = read_settings(home=tmp_path / "home", token=TOKEN, allowed_paths=[brand])
    with (
        open_app(settings, "0.0.0.0") as app,
        serve(app, 0) as url,
        httpx.Client(
            base_url=f"{url}/api/v1/", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60
        ) as http,
    ):
        yield http


def submit(http, *, dry_run=True, **changes):
    return http.post("campaigns", json={"campaign": {**data(), **changes}, "dry_run": dry_run})


ELSEWHERE = (
    "{outside}/a.png", "{outside}/nothing.png", "{outside}", "{outside}/model",
    "{outside}/a.safetensors", "/etc/passwd",
    "/root", "/no/such", "/",
    "/proc/self/environ", "{brand}-of-others/a.png", "{brand}/../outside/a.png",
    "{brand}/link.png",
    "{brand}/link/a.png", "{brand}/link/nothing",
    "{brand}/link/model", "{brand}/link/a.safetensors", "{brand}/circle", "~/a.png", "./a.png",
    "../a.png", "a/../../a.png", "file:///etc/passwd",
)  # fmt: skip


@pytest.mark.parametrize("address", ELSEWHERE)
def test_files_elsewhere_are_refused_in_one_sentence_whether_they_are_there_or_not(
    remote, brand, address
):
    address = address.format(brand=brand, outside=brand.parent / "outside")
    for changes, place, prefix in (
        ({"reference": {"image": address}}, ["reference", "image"], f"reference {address}: "),
        ({"adapters": [{"lora": address}]}, ["adapters", 0, "lora"], f"lora {address}: "),
        ({"model": address}, ["model"], ""),
    ):
        answer = submit(remote, **changes)
        assert answer.status_code == 422
        assert answer.json()["problems"] == [{"path": place, "message": prefix + NOT_TAKEN}], (
            changes
        )


def test_what_the_operator_allows_works(remote, brand, tmp_path):
    changes = {
        "reference": {"image": f"{brand}/a.png"},
        "adapters": [{"lora": f"{brand}/a.safetensors"}],
        "model": f"{brand}/model",
    }
    answer = submit(remote, dry_run=False, **changes)
    assert answer.status_code == 201, answer.text
    assert len(list((tmp_path / "home/outputs").rglob("references/*"))) == 1
    assert answer.json()["model"] == f"{brand}/model"
    told = submit(remote, reference={"image": f"{brand}/gone.png"}).json()["detail"]
    assert "there is no such file" in told


def test_models_by_name_need_no_folder(remote, monkeypatch):
    monkeypatch.setattr("actors.models.models.fetch_model", lambda _repo, _revision: SEEDLING)
    for model in ("seedling", "owner/name@main", "owner/name@refs/pr/3"):
        assert submit(remote, model=model).status_code == 200
    assert "name its revision" in submit(remote, model="owner/name").json()["detail"]
    for model in ("owner/name@/etc/passwd", "owner/name@../../x", "../x@main", "owner/..@main"):
        assert NOT_TAKEN in submit(remote, model=model).json()["detail"]


def test_whoever_is_on_the_machine_names_what_he_likes_unless_the_operator_says_otherwise(
    tmp_path, brand
):
    for allowed, host, status in (
        (None, "127.0.0.1", 200),
        ([], "127.0.0.1", 422),
        (None, "0.0.0.0", 422),
        ([brand], "127.0.0.1", 200),
    ):
        with (
            open_app(
                read_settings(home=tmp_path / "home", allowed_paths=allowed, token=TOKEN), host
            ) as app,
            serve(app, 0) as url,
        ):
            answer = httpx.post(
                f"{url}/api/v1/campaigns",
                headers={"Authorization": f"Bearer {TOKEN}"},
                json={"campaign": {**data(), "model": f"{brand}/model"}, "dry_run": True},
            )
            assert answer.status_code == status


def test_the_setting_is_a_list_and_its_folders_are_whole(monkeypatch):
    monkeypatch.setenv("FARM_ALLOWED_PATHS", '["~/models", "here"]')
    assert read_settings().allowed_paths == (Path.home() / "models", Path.cwd() / "here")


def fail(settings, detail):
    with closing_engine(settings.database_address) as engine:
        row, session = (
            Campaigns(engine).get("default", "spring"),
            Queue(engine).lead(owner="o", host="h", pid=1),
        )
        (chunk,) = Queue(engine).claim(session, [(row.id, "w")])
        outcome = RenderOutcome(
            number=0, digest="d", state=RenderState.FAILED, reason=Reason.UNKNOWN, detail=detail
        )
        facts = {
            "load_s": 1.0,
            "loads": 1,
            "swaps": 2,
            "batch_s": [0.3],
            "megapixel_steps": 1.3,
            "encode_s": 0.1,
            "pictures": 1,
            "slots": 4,
        }
        settlement = Settlement(
            chunk_id=chunk.id, campaign_id=row.id, lease=chunk.lease, worker="w",
            outcome="unknown", outcomes=(outcome,),
            facts={**facts, "uploads": 0, "upload_bytes": 0},
        )  # fmt: skip
        assert Settling(engine).settle(session, [settlement])


def test_no_answer_has_a_path_of_the_server(remote, brand, tmp_path):
    settings = read_settings(home=tmp_path / "home")
    submit(remote, dry_run=False)
    code = Path(package.__file__).parent
    detail = (
        f"OSError: cannot read {tmp_path}/home/outputs/x/1.png, {code}/a.py; or"
        f" {brand}/model/unet: do it again.\n"
        f'  File "{code}/client.py", line 3, in f\n  File "/opt/venv/lib/x.py", line 5'
    )
    fail(settings, detail)
    answers = [
        remote.get("campaigns/spring"),
        remote.get("campaigns/spring/manifest"),
        remote.get("campaigns/spring/why", params={"render": 0}),
        remote.post("campaigns/spring/manifest"),
        remote.get("outputs/default/nothing.png"),
        remote.get("outputs/%2e%2e/x"),
    ]
    (tmp_path / "home/outputs").rename(tmp_path / "home/away")
    (tmp_path / "home/outputs").write_text("in the way")
    broken = remote.post("campaigns/spring/manifest")
    assert (broken.status_code, "the outputs folder" in broken.json()["detail"]) == (507, True)
    for answer in [*answers, broken]:
        assert str(tmp_path / "home") not in answer.text
        assert str(code) not in answer.text
        assert "/opt/venv" not in answer.text
    assert (
        answers[0].json()["failures"][0]["detail"]
        == f"OSError: cannot read …/1.png, …/a.py; or {brand}/model/unet: do it again.\n"
        '  File "client.py", line 3, in f\n  File "x.py", line 5'
    )
    assert answers[3].json() == {"manifest": "…/manifest.jsonl"}
