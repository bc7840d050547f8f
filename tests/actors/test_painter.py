"""The painter with an engine that needs no model: what becomes of a chunk, whatever happens to
it.
"""

import hashlib
import io
import json
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from actors.painting import progress
from actors.painting.denoising import ignore
from actors.painting.engine import Engine, Painted
from actors.painting.painter import Painter
from actors.pictures.files import RECIPE_CHUNK, file_pixels_digest, pixels_digest, read, write
from actors.recipes.encoding import Encoding, Format
from actors.recipes.errors import BadRequest, LoadFailed, ModelMissing, PromptTooLong
from actors.recipes.jobs import ChunkJob, FailureKind, Look, PictureJob
from actors.recipes.previews import Previews
from actors.recipes.recipe import Adapter, Group, Recipe
from actors.recipes.rules import Rules
from storage.errors import NotFound, OutputsAway, OutputsError
from storage.states import Reason, RenderState

GROUP = Group(
    model="m" * 64,
    pipeline="P",
    steps=4,
    guidance=1.0,
    scheduler="ddim",
    scheduler_config={},
    width=8,
    height=8,
    dtype="float32",
    batch=4,
)

SD = "StableDiffusionPipeline"


class FakeEngine:
    """Paints a picture that its seed decides; `trouble` is raised instead, `flat` seeds give no
    picture.
    """

    numerics_class = "fake"
    device = "cpu"

    def __init__(self, trouble=None, flat=()):
        self.trouble, self.flat = trouble, flat
        self.warm = {}
        self.shapes = []
        self.given = []

    def forget(self):
        self.forgotten = True

    def paint(
        self,
        recipes,
        folder,
        previews=None,
        *,
        references,
        adapter_paths,
        control_folder,
        likeness_folder,
        upscaler_folder,
        on_step=lambda _left: None,
        on_preview=ignore,
        until=None,
        parked=(),
    ):
        on_step(0)
        self.shapes.append(len(recipes))
        self.given.append((dict(references), tuple(adapter_paths)))
        if self.trouble:
            raise self.trouble
        pixels = [
            self.picture(recipe.seed) if recipe.seed not in self.flat else None
            for recipe in recipes
        ]
        if previews:
            on_preview(2, [self.picture(recipe.seed) for recipe in recipes])
        return Painted(pixels=pixels, load_s=0.5, paint_s=0.25)

    @staticmethod
    def picture(seed):
        return np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)


def job(count=6, **changes):
    pictures = tuple(
        PictureJob(number=n, prompt=f"p{n}", negative="", seed=n, key=f"p/c/final/s/{n}.png")
        for n in range(count)
    )
    base = dict(
        chunk_id=1,
        campaign_id=2,
        lease=3,
        model_name="m",
        model_folder="/m",
        group=GROUP,
        pictures=pictures,
    )
    return ChunkJob(**{**base, **changes})


def test_every_picture_is_written_with_its_recipe_and_told_with_its_hash(outputs):
    engine = FakeEngine()
    result = Painter("w", engine, outputs).paint(job())
    assert result.failure is None
    assert engine.shapes == [4, 2]
    assert [outcome.number for outcome in result.outcomes] == list(range(6))
    for outcome in result.outcomes:
        with outputs.open(outcome.key) as file:
            data = file.read()
        assert (
            file_pixels_digest(data)
            == outcome.pixels
            == pixels_digest(FakeEngine.picture(outcome.number))
        )
        assert len(data) == outcome.bytes
        record = json.loads(Image.open(io.BytesIO(data)).text[RECIPE_CHUNK])
        assert Recipe.from_json(record["recipe"]).digest == outcome.digest == record["digest"]
        assert record["numerics_class"] == "fake"
        assert (outcome.state, outcome.reason) == (RenderState.DONE, Reason.PAINTED)
    assert (result.facts.pictures, result.facts.slots, result.facts.uploads) == (6, 8, 6)
    assert (result.facts.load_s, result.facts.batch_s) == (1.0, (0.25, 0.25))
    assert result.facts.upload_bytes == sum(outcome.bytes for outcome in result.outcomes)


def test_previews_lie_beside_their_picture(outputs):
    Painter("w", FakeEngine(), outputs).paint(job(1, previews=Previews(every=2)))
    assert sorted(outputs.keys("p/c/final")) == [
        "p/c/final/s/0.png",
        "p/c/final/s/0.step002.webp",
    ]


def thumbnails(outputs, result):
    """By number, the small copies of a result's pictures."""
    found = {}
    for outcome in result.outcomes:
        atlas, place, colour = outcome.thumbnail.split(":")
        columns = int(atlas.partition("x")[0])
        with outputs.open(f"p/c/atlases/{atlas}.webp") as file:
            pixels = np.asarray(Image.open(file).convert("RGB"))
        y, x = (8 * part for part in divmod(int(place), columns))
        found[outcome.number] = pixels[y : y + 8, x : x + 8], bytes.fromhex(colour)
    return found


@pytest.mark.parametrize("look", [Look.NEVER, Look.ALL])
def test_every_picture_has_a_thumbnail_whether_it_is_painted_or_found(outputs, look):
    if look is Look.ALL:
        Painter("w", FakeEngine(), outputs).paint(job(5))
        for key in list(outputs.keys("p/c/atlases")):
            outputs.delete(key)
    result = Painter("x", FakeEngine(), outputs).paint(job(11, lease=4, look=look))
    assert len(list(outputs.keys("p/c/atlases"))) == 1
    small = thumbnails(outputs, result)
    assert small.keys() == set(range(11))
    for number, (pixels, colour) in small.items():
        mean = FakeEngine.picture(number).mean((0, 1))
        assert np.abs(pixels.mean((0, 1)) - mean).max() < 16  # nearer than that of any other
        assert np.abs(np.array(list(colour)) - mean).max() <= 1


def test_a_picture_whose_thumbnail_cannot_be_written_is_painted_all_the_same(outputs):
    class Full:
        def __getattr__(self, name):
            return getattr(outputs, name)

        def put(self, key, data):
            if "/atlases/" in key:
                raise OutputsAway("the disk is full")
            outputs.put(key, data)

    result = Painter("w", FakeEngine(), Full()).paint(job(3))
    assert (result.failure, len(result.outcomes)) == (None, 3)
    for outcome in result.outcomes:
        assert (outcome.state, outcome.thumbnail) == (RenderState.DONE, None)


def test_outputs_that_have_just_failed_are_not_asked_for_thumbnails(outputs):
    asked = []

    class Away:
        def __getattr__(self, name):
            return getattr(outputs, name)

        def put(self, key, data):
            asked.append(key)
            if key.endswith("/2.png"):
                raise OutputsAway("the server is busy")
            outputs.put(key, data)

    result = Painter("w", FakeEngine(), Away()).paint(job(3))
    assert result.failure.kind is FailureKind.SHORTAGE
    assert [outcome.thumbnail for outcome in result.outcomes] == [None, None]
    assert not any("/atlases/" in key for key in asked)


ENCODINGS = [
    Encoding(),
    Encoding(format=Format.WEBP),
    Encoding(format=Format.WEBP, quality=80),
    Encoding(format=Format.JPEG, quality=80),
    Encoding(format=Format.JXL),
    Encoding(format=Format.JXL, quality=80),
]


@pytest.mark.parametrize("encoding", ENCODINGS, ids=lambda encoding: encoding.name)
def test_every_format_is_written_told_and_taken_over_alike(outputs, encoding):
    wanted = job(3, encoding=encoding, previews=Previews(every=2))
    first = Painter("w", FakeEngine(), outputs).paint(wanted)
    for outcome in first.outcomes:
        with outputs.open(outcome.key) as file:
            data = file.read()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (outcome.sha256, outcome.bytes)
        found = read(data)
        assert (
            found.record["pixels"]
            == outcome.pixels
            == pixels_digest(FakeEngine.picture(outcome.number))
        )
        assert (found.digest == outcome.pixels) is encoding.is_lossless
        assert Recipe.from_json(found.record["recipe"]).digest == outcome.digest
    engine = FakeEngine()
    again = Painter("x", engine, outputs).paint(replace(wanted, lease=4, look=Look.ALL))
    assert (engine.shapes, again.facts.adopted) == ([], 3)
    # Of pixels that were not kept, the thumbnail is another one.
    assert [replace(outcome, thumbnail=None) for outcome in again.outcomes] == [
        replace(outcome, seconds=None, thumbnail=None) for outcome in first.outcomes
    ]


class Watched(FakeEngine):
    """Notes what the outputs hold once its looks are handed over, before the picture is done."""

    def __init__(self, outputs):
        super().__init__()
        self._outputs, self.seen = outputs, None

    def paint(self, recipes, folder, previews=None, *, on_preview, **more):
        def hand_over(step, pictures):
            on_preview(step, pictures)
            for _ in range(4):  # the room is four: the last is taken once the first is written
                on_preview(step, pictures)
            self.seen = sorted(self._outputs.keys("p"))

        return super().paint(recipes, folder, previews, on_preview=hand_over, **more)


def test_previews_are_in_the_outputs_while_their_batch_is_painted(outputs):
    engine = Watched(outputs)
    group = replace(GROUP, batch=1)  # so that few may wait for the threads
    Painter("w", engine, outputs).paint(
        job(1, group=group, previews=Previews(at=(0.5,), decode="fast"))
    )
    assert engine.seen == ["p/c/final/s/0.step002.webp"]


class Lossy:
    """Outputs that refuse previews."""

    def __init__(self, outputs):
        self._outputs = outputs

    def __getattr__(self, name):
        return getattr(self._outputs, name)

    def put(self, key, data):
        if ".step" in key:
            raise OutputsError("no previews today")
        self._outputs.put(key, data)


def test_a_picture_whose_preview_could_not_be_written_is_not_there_either(outputs):
    result = Painter("w", FakeEngine(), Lossy(outputs)).paint(job(2, previews=Previews(every=2)))
    assert (result.failure.kind, result.outcomes) == (FailureKind.OUTPUTS, ())
    assert list(outputs.keys("p")) == []


PALE = Rules(clipped_at_most=1.0, sharpness_at_least=0.99, holds=False)


def test_every_picture_is_judged_by_the_rules_of_its_brand(outputs):
    identity = {"name": "acme", "version": 3, "digest": "b" * 64}
    result = Painter("w", FakeEngine(), outputs).paint(job(rules=PALE, brand=identity))
    for outcome in result.outcomes:
        assert (outcome.rules_tested, outcome.rules_failed) == (2, ("sharpness@1",))
        assert (outcome.state, outcome.reason) == (RenderState.DONE, Reason.PAINTED)
        with outputs.open(outcome.key) as file:
            assert read(file.read()).record["brand"] == identity
    plain = Painter("w", FakeEngine(), outputs).paint(job(1, chunk_id=2))
    assert (plain.outcomes[0].rules_tested, plain.outcomes[0].rules_failed) == (None, ())


@pytest.mark.parametrize("holds", [False, True])
def test_a_picture_that_is_found_is_judged_as_one_that_is_painted(outputs, holds):
    Painter("w", FakeEngine(), outputs).paint(job())
    engine = FakeEngine()
    rules = replace(PALE, holds=holds)
    again = Painter("w", engine, outputs).paint(job(look=Look.ALL, rules=rules))
    fresh = Painter("w", FakeEngine(), outputs).paint(job(rules=rules))
    assert engine.shapes == []
    told = [[replace(o, seconds=None) for o in one.outcomes] for one in (again, fresh)]
    assert told[0] == told[1]
    state = RenderState.HELD if holds else RenderState.DONE
    reason = Reason.BRAND if holds else Reason.PAINTED
    assert {(o.state, o.reason) for o in again.outcomes} == {(state, reason)}
    assert all(("sharpness@1" in (o.detail or "")) == holds for o in again.outcomes)


def test_files_of_another_encoding_or_without_the_previews_asked_for_are_not_taken_over(outputs):
    webp = Encoding(format=Format.WEBP, quality=80)
    Painter("w", FakeEngine(), outputs).paint(job(2, encoding=webp))
    for changes in (
        {"encoding": replace(webp, quality=90)},
        {"encoding": Encoding()},
        {"encoding": webp, "previews": Previews(every=2)},
    ):
        engine = FakeEngine()
        Painter("x", engine, outputs).paint(job(2, lease=4, look=Look.ALL, **changes))
        assert engine.shapes == [2]


def test_a_lossless_file_whose_pixels_were_changed_is_not_taken_over(outputs):
    (outcome,) = Painter("w", FakeEngine(), outputs).paint(job(1)).outcomes
    with outputs.open(outcome.key) as file:
        record = read(file.read()).record
    outputs.put(outcome.key, write(FakeEngine.picture(7), record, "", Encoding()))
    assert Painter("x", FakeEngine(), outputs).paint(job(1, look=Look.ALL)).facts.adopted == 0


def test_numbers_that_are_no_picture_are_told_and_not_written(outputs):
    result = Painter("w", FakeEngine(flat={1}), outputs).paint(job(3))
    assert [outcome.number for outcome in result.outcomes] == [0, 2]
    assert (result.bad_outputs, result.failure) == ((1,), None)
    assert len(list(outputs.keys("p/c/final"))) == 2


def test_what_was_painted_before_a_failure_is_told(outputs):
    class Failing(FakeEngine):
        def paint(self, recipes, *args, **kwargs):
            if recipes[0].seed == 4:
                raise ZeroDivisionError("by zero")
            return super().paint(recipes, *args, **kwargs)

    result = Painter("w", Failing(), outputs).paint(job())
    assert result.failure.kind is FailureKind.UNKNOWN
    assert "in paint" in result.failure.detail  # the end of its traceback
    assert [outcome.number for outcome in result.outcomes] == [0, 1, 2, 3]


def test_a_chunk_that_nobody_wants_is_left_alone_from_the_next_batch_on(outputs):
    class Watched(FakeEngine):
        def paint(self, *args, **kwargs):
            painter.stop(1, 3)
            return super().paint(*args, **kwargs)

    painter = Painter("w", Watched(), outputs)
    result = painter.paint(job(12))
    assert result.failure.kind is FailureKind.STOPPED
    assert [outcome.number for outcome in result.outcomes] == [0, 1, 2, 3]
    # Before its first batch too; another lease of the same chunk is not meant.
    assert painter.paint(job(12)).outcomes == ()
    assert len(Painter("w", FakeEngine(), outputs).paint(job(12, lease=4)).outcomes) == 12


def test_what_is_in_the_outputs_with_the_right_recipe_is_not_painted_again(outputs):
    first = Painter("w", FakeEngine(), outputs).paint(job(6))
    keys = [outcome.key for outcome in first.outcomes]
    outputs.put(keys[1], b"half a file")
    other = job(6).recipe(job(6).pictures[0])
    with outputs.open(keys[0]) as file:
        outputs.put(keys[2], file.read())  # another picture, with another recipe
    engine = FakeEngine()
    again = Painter("x", engine, outputs).paint(job(6, lease=4, look=Look.ALL))
    assert engine.shapes == [2]
    assert again.facts.adopted == 4
    assert sorted((o.number, o.pixels, o.digest) for o in again.outcomes) == sorted(
        (o.number, o.pixels, o.digest) for o in first.outcomes
    )
    assert other.digest == first.outcomes[0].digest
    # Without a reason to look, nothing is looked for.
    Painter("x", engine, outputs).paint(job(6))
    assert engine.shapes == [2, 4, 2]


@pytest.mark.parametrize(("left", "adopted"), [((0, 2), 2), ((2, 3), 2), ((1, 2), 0)])
def test_a_chunk_that_nobody_has_painted_is_looked_for_at_its_ends(outputs, left, adopted):
    done = Painter("w", FakeEngine(), outputs).paint(job(4)).outcomes
    for outcome in done:
        if outcome.number not in left:
            outputs.delete(outcome.key)
    engine = FakeEngine()
    again = Painter("x", engine, outputs).paint(job(4, look=Look.ENDS))
    assert again.facts.adopted == adopted
    assert [o.pixels for o in sorted(again.outcomes, key=lambda o: o.number)] == [
        o.pixels for o in done
    ]


def test_a_chunk_of_new_pictures_costs_two_looks(outputs, monkeypatch):
    asked = []
    monkeypatch.setattr(
        type(outputs),
        "open",
        lambda self, key: asked.append(key) or (_ for _ in ()).throw(NotFound(key)),
    )
    Painter("x", FakeEngine(), outputs).paint(job(6, look=Look.ENDS))
    assert len(asked) == 2


def test_pictures_of_another_numerics_class_are_painted_again(outputs):
    Painter("w", FakeEngine(), outputs).paint(job(4))
    engine = FakeEngine()
    engine.numerics_class = "another"
    assert Painter("x", engine, outputs).paint(job(4, look=Look.ALL)).facts.adopted == 0


def test_a_worker_says_how_long_it_has_made_no_step(outputs):
    seen = []

    class Watched(FakeEngine):
        def paint(self, *args, **kwargs):
            seen.append(painter.health())
            return super().paint(*args, **kwargs)

    painter = Painter("w", Watched(), outputs)
    assert (painter.health().painting, painter.health().quiet_s) == (False, 0.0)
    painter.paint(job(4))
    assert seen[0].painting
    assert 0 <= seen[0].quiet_s < 60
    assert painter.health().quiet_s == 0.0


def test_an_out_of_memory_gives_the_devices_memory_back(outputs):
    engine = FakeEngine(torch.OutOfMemoryError("2 GB"))
    Painter("w", engine, outputs).paint(job())
    assert engine.forgotten


def test_a_prompt_that_is_too_long_fails_alone(outputs):
    class Reader(FakeEngine):
        def paint(self, recipes, *args, **kwargs):
            for recipe in recipes:
                if recipe.prompt in ("p1", "p4"):
                    raise PromptTooLong(recipe.prompt, 99, 48)
            return super().paint(recipes, *args, **kwargs)

    result = Painter("w", Reader(), outputs).paint(job())
    states = {outcome.number: outcome.state for outcome in result.outcomes}
    assert states == {n: RenderState.FAILED if n in (1, 4) else RenderState.DONE for n in range(6)}
    assert "99 tokens and the model reads 48" in result.outcomes[0].detail


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (BadRequest("no such prompt"), FailureKind.BAD_REQUEST),
        (OutputsError("no such folder"), FailureKind.OUTPUTS),
        (OutputsAway("the disk is full"), FailureKind.SHORTAGE),
        (torch.OutOfMemoryError("2 GB"), FailureKind.OUT_OF_MEMORY),
        (LoadFailed("its unet is not whole."), FailureKind.LOADING),
        (ModelMissing("its folder is missing on this machine."), FailureKind.LOADING),
        (ZeroDivisionError("by zero"), FailureKind.UNKNOWN),
    ],
)
def test_a_failure_is_an_answer_with_its_kind(outputs, trouble, kind):
    result = Painter("w", FakeEngine(trouble), outputs).paint(job())
    assert result.failure.kind is kind
    assert str(trouble) in result.failure.detail
    assert (result.chunk_id, result.campaign_id, result.lease, result.outcomes) == (1, 2, 3, ())


@pytest.mark.parametrize(
    ("changes", "advice"),
    [
        (dict(batch=4), "a smaller settings.batch"),
        (dict(batch=1), "a smaller settings.size"),
        (
            dict(batch=1, width=1024, pipeline=SD),
            "`settings.vae_tile: 512`, or a smaller settings.size",
        ),
        (dict(batch=1, width=1024, pipeline=SD, vae_tile=512), "a smaller settings.size"),
        (dict(batch=1, width=1024, pipeline="LuminaPipeline"), "a smaller settings.size"),
    ],
)
def test_of_too_little_memory_it_is_said_what_helps(outputs, changes, advice):
    wanted = job()
    wanted = replace(wanted, group=replace(wanted.group, **changes))
    told = Painter("w", FakeEngine(torch.OutOfMemoryError("2 GB")), outputs).paint(wanted)
    assert f": give the campaign {advice}. (2 GB)" in told.failure.detail


def test_a_missing_model_folder_is_named_without_a_traceback(outputs, tmp_path):
    wanted = job(model_folder=str(tmp_path / "gone"))
    failure = Painter("w", Engine(device="cpu", threads=1), outputs).paint(wanted).failure
    assert failure.kind is FailureKind.LOADING
    assert failure.detail.startswith("The model m cannot be loaded: its folder gone is missing on")
    assert "Traceback" not in failure.detail


def test_outputs_that_cannot_be_written_fail_the_attempt(tmp_path):
    from storage.outputs import FolderOutputs

    (tmp_path / "file").write_text("in the way")
    result = Painter("w", FakeEngine(), FolderOutputs(tmp_path / "file")).paint(job())
    assert result.failure.kind is FailureKind.OUTPUTS
    assert "free some space" in result.failure.detail


def test_results_wait_until_they_are_acknowledged(outputs):
    painter = Painter("w", FakeEngine(), outputs)
    result = painter.paint(job())
    assert painter.health().mailbox == (result,)
    painter.acknowledge(1, 99)
    assert painter.health().mailbox == (result,)
    painter.acknowledge(1, 3)
    painter.acknowledge(1, 3)
    assert painter.health().mailbox == ()


def test_the_device_paints_on_while_pictures_are_written(outputs):
    """The second batch is painted although nothing of the first can be written yet."""
    may_write, painted = threading.Event(), threading.Event()

    class SlowOutputs:
        address = "slow"

        def put(self, key, data):
            assert may_write.wait(60)
            outputs.put(key, data)

    class Watched(FakeEngine):
        def paint(self, *args, **kwargs):
            answer = super().paint(*args, **kwargs)
            if len(self.shapes) == 2:
                painted.set()
            return answer

    results = []
    painter = Painter("w", Watched(), SlowOutputs())
    thread = threading.Thread(target=lambda: results.append(painter.paint(job(8))))
    thread.start()
    assert painted.wait(60)
    assert not results
    may_write.set()
    thread.join(60)
    assert len(results[0].outcomes) == 8


REFERRING = replace(GROUP, strength=0.5, adapters=(Adapter(digest="a" * 64, scale=0.7),))


def referring(outputs, shades, count=8, **changes):
    """A job whose pictures begin from these shades of grey in turn, and their files' digests."""
    digests, base = [], job(count)
    for shade in shades:
        file = io.BytesIO()
        Image.new("RGB", (32, 16), (shade, shade, shade)).save(file, "PNG")
        digests.append(hashlib.sha256(file.getvalue()).hexdigest())
        outputs.put(f"p/references/{digests[-1]}", file.getvalue())
    pictures = tuple(replace(p, reference=digests[p.number % len(digests)]) for p in base.pictures)
    more = dict(
        group=REFERRING,
        pictures=pictures,
        references={digest: f"p/references/{digest}" for digest in digests},
        addresses={
            digest: f"/brand/{shade}.png" for digest, shade in zip(digests, shades, strict=True)
        },
        adapter_paths=("/loras/a.safetensors",),
    )
    return replace(base, **{**more, **changes}), digests


class Counted:
    """Outputs that know what was read."""

    def __init__(self, outputs):
        self._outputs, self.address, self.put, self.open = (
            outputs,
            outputs.address,
            outputs.put,
            outputs.open,
        )
        self.reads = []

    def read(self, key, limit):
        self.reads.append(key)
        return self._outputs.read(key, limit)


def test_references_come_to_the_engine_at_its_size_each_fetched_once(outputs):
    engine, counted = FakeEngine(), Counted(outputs)
    wanted, digests = referring(outputs, (10, 200, 90))
    painter = Painter("w", engine, counted)
    assert painter.paint(wanted).failure is None
    for given, paths in engine.given:
        assert paths == ("/loras/a.safetensors",)
        assert set(given) == set(digests)
        assert all(pixels.shape == (8, 8, 3) for pixels in given.values())
    assert [engine.given[0][0][digest][0, 0, 0] for digest in digests] == [10, 200, 90]
    assert painter.paint(replace(wanted, lease=4)).failure is None
    assert sorted(counted.reads) == sorted(wanted.references.values())


def test_the_record_names_what_a_picture_was_made_from(outputs):
    wanted, digests = referring(outputs, (10, 200), count=2)
    result = Painter("w", FakeEngine(), outputs).paint(wanted)
    for outcome, digest, shade in zip(result.outcomes, digests, (10, 200), strict=True):
        with outputs.open(outcome.key) as file:
            record = json.loads(Image.open(file).text[RECIPE_CHUNK])
        assert Recipe.from_json(record["recipe"]).digest == outcome.digest == record["digest"]
        assert record["recipe"]["reference"] == digest
        assert record["sources"] == {
            "reference": {
                "address": f"/brand/{shade}.png",
                "key": f"p/references/{digest}",
                "digest": digest,
            },
            "adapters": [{"path": "/loras/a.safetensors", "digest": "a" * 64, "scale": 0.7}],
        }


def test_a_reference_that_is_gone_or_another_is_told_and_nothing_is_painted(outputs):
    wanted, (digest,) = referring(outputs, (10,))
    for spoil, words in (
        (
            lambda: outputs.put(f"p/references/{digest}", b"another"),
            "The reference /brand/10.png was changed in the outputs",
        ),
        (
            lambda: outputs.delete(f"p/references/{digest}"),
            "The reference /brand/10.png cannot be used, submit the campaign again",
        ),
    ):
        spoil()
        engine = FakeEngine()
        result = Painter("w", engine, outputs).paint(wanted)
        assert (result.failure.kind, result.outcomes, engine.shapes) == (
            FailureKind.BAD_REQUEST,
            (),
            [],
        )
        assert words in result.failure.detail


def test_references_that_cannot_be_read_now_are_asked_for_again(outputs):
    class Away(Counted):
        def read(self, key, limit):
            if len(self.reads) < 3:
                self.reads.append(key)
                raise OutputsAway("the server is busy")
            return super().read(key, limit)

    wanted, _ = referring(outputs, (10,), count=4)
    painter = Painter("w", FakeEngine(), Away(outputs))
    failures = [painter.paint(replace(wanted, lease=lease)).failure for lease in range(1, 5)]
    assert [failure and failure.kind for failure in failures] == [FailureKind.SHORTAGE] * 3 + [
        None
    ]


def test_the_next_batch_s_references_come_while_one_is_painted(outputs):
    coming = threading.Event()

    class Reading(Counted):
        def read(self, key, limit):
            data = super().read(key, limit)
            if len(self.reads) == 2:
                coming.set()
            return data

    class Watched(FakeEngine):
        def paint(self, *args, **kwargs):
            assert coming.wait(60)
            return super().paint(*args, **kwargs)

    wanted, digests = referring(outputs, (10, 200))
    turned = tuple(replace(p, reference=digests[p.number // 4]) for p in wanted.pictures)
    assert (
        Painter("w", Watched(), Reading(outputs)).paint(replace(wanted, pictures=turned)).failure
        is None
    )


def test_references_not_used_for_longest_give_way(outputs, monkeypatch):
    monkeypatch.setattr("actors.painting.references._KEPT_BYTES", 0)
    counted = Counted(outputs)
    wanted, _ = referring(outputs, range(10, 34), count=24)
    painter = Painter("w", FakeEngine(), counted)
    assert painter.paint(wanted).failure is None
    last = replace(wanted, pictures=wanted.pictures[-4:], lease=4)
    assert painter.paint(last).failure is None
    assert len(counted.reads) == 24
    assert painter.paint(replace(wanted, pictures=wanted.pictures[:4], lease=5)).failure is None
    assert len(counted.reads) == 28


class Stepping(FakeEngine):
    """Makes four steps for each batch, doing at each what a test says."""

    def __init__(self, at_step):
        super().__init__()
        self._at_step = at_step

    def paint(self, recipes, folder, previews=None, *, on_step, **more):
        on_step(0)
        for left in (3, 2, 1, 0):
            self._at_step(left)
            on_step(left)
        return super().paint(
            recipes,
            folder,
            previews,
            on_step=on_step,
            **more,
        )


@pytest.mark.parametrize(("at_step", "painted"), [(True, 0), (False, 4)])
def test_a_chunk_is_left_alone_after_its_batch_or_after_its_step(outputs, at_step, painted):
    painter = Painter(
        "w", Stepping(lambda left: left == 2 and painter.stop(1, 3, at_step=at_step)), outputs
    )
    result = painter.paint(job(8))
    assert result.failure.kind is FailureKind.STOPPED
    assert len(result.outcomes) == painted


def test_only_a_step_that_is_late_beside_those_before_it_hangs(outputs, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock.now)
    seen = {}

    def at_step(left):
        clock.now += 2.0
        seen[left] = painter.health().hung_after_s

    painter = Painter("w", Stepping(at_step), outputs)
    painter.paint(job(4))
    # The first step loads what the others have, and after the last one the picture is decoded:
    # neither says how long a step takes.
    assert seen == {3: None, 2: None, 1: 40.0, 0: 40.0}
    assert painter.health().hung_after_s is None


class Clock:
    now = 1000.0
