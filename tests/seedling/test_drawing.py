from dataclasses import replace

import numpy as np
import pytest

from actors.seedling.captions import (
    MAX_TOKENS,
    full_caption,
    make_tokenizer,
    random_caption,
    random_subject,
)
from actors.seedling.data import drawn_picture, load_or_draw
from actors.seedling.drawing import draw
from actors.seedling.planes import SIZE
from actors.seedling.scenes import BACKDROPS, COLORS, FLAWS, PRODUCTS, Scene, Subject, random_scene

EVERY = [
    Subject(product=p, color=c, backdrop=b) for p in PRODUCTS for c in COLORS for b in BACKDROPS
]


@pytest.fixture
def scene() -> Scene:
    return random_scene(np.random.default_rng(1))


def test_there_are_enough_kinds_of_shots():
    assert (len(PRODUCTS) >= 6, len(COLORS), len(BACKDROPS)) == (True, 8, 4)


def test_every_subject_can_be_drawn_and_looks_different(scene):
    pictures = {draw(subject, scene).tobytes() for subject in EVERY}
    assert len(pictures) == len(EVERY)


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_flaw_is_seen(scene, flaw):
    clean, flawed = draw(EVERY[0], scene), draw(replace(EVERY[0], flaws=(flaw,)), scene)
    assert clean.shape == (SIZE, SIZE, 3)
    assert np.abs(clean.astype(int) - flawed).mean() > 5


@pytest.mark.parametrize("subject", EVERY[::17])
def test_the_lit_side_is_the_brighter_one(scene, subject):
    left, right = (draw(subject, replace(scene, light=light)).astype(float) for light in (-1, 1))
    for picture, sign in ((left, 1), (right, -1)):
        assert sign * (picture[:, : SIZE // 4].mean() - picture[:, -SIZE // 4 :].mean()) > 5


def test_a_picture_of_a_series_depends_on_its_place_alone(tmp_path):
    pictures = load_or_draw(tmp_path, count=6, seed=5, workers=2)
    for index in (0, 5):
        picture, subject = drawn_picture(index, seed=5)
        assert np.array_equal(pictures.pixels[index], picture)
        assert pictures.subjects[index] == subject
    assert np.array_equal(
        load_or_draw(tmp_path, count=6, seed=5, workers=2).pixels, pictures.pixels
    )


def test_captions_fit_and_are_read_word_by_word(tmp_path):
    tokenizer = make_tokenizer(tmp_path)
    rng = np.random.default_rng(0)
    for _ in range(300):
        caption = random_caption(random_subject(rng), rng)
        words = caption.replace(",", " ,").split()
        assert len(tokenizer(caption).input_ids) <= min(
            MAX_TOKENS, 2 + len(words) + words.count("an")
        )
    assert len(tokenizer("日本 photorealistic €").input_ids) > 5
    assert (
        tokenizer.decode(
            tokenizer(full_caption(EVERY[0])).input_ids, skip_special_tokens=True
        ).strip()
        == "a red mug in a studio"
    )


def test_captions_never_tell_what_the_seed_decides():
    rng = np.random.default_rng(0)
    captions = " ".join(random_caption(random_subject(rng), rng) for _ in range(2000))
    assert not {"left", "right", "light", "lit", "large", "small"} & set(
        captions.replace(",", " ").split()
    )
