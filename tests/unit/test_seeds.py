from hypothesis import given
from hypothesis import strategies as st

from farm.campaign.seeds import SEED_LIMIT, derived_seed

names = st.dictionaries(
    st.text(max_size=5),
    st.one_of(
        st.text(max_size=5), st.integers(), st.floats(allow_nan=False, allow_infinity=False)
    ),
    max_size=3,
)


@given(st.integers(0, SEED_LIMIT - 1), st.integers(0, SEED_LIMIT - 1), names)
def test_a_seed_is_a_32_bit_number_that_its_inputs_decide(base, index, coordinates):
    seed = derived_seed(base, index, coordinates)
    assert 0 <= seed < SEED_LIMIT
    assert seed == derived_seed(base, index, dict(reversed(coordinates.items())))


@given(st.integers(0, SEED_LIMIT - 1), names)
def test_no_two_indices_of_a_series_share_a_seed(base, coordinates):
    assert len({derived_seed(base, index, coordinates) for index in range(300)}) == 300


def test_seeds_never_change_between_versions():
    # These numbers are in people's campaigns: a change of them is a change of every picture ever
    # ordered.
    assert [derived_seed(0, k, {}) for k in range(3)] == [2143441303, 3529878621, 3325860590]
    assert derived_seed(7, 0, {"place": "at sunset"}) != derived_seed(
        7, 0, {"place": "on a beach"}
    )


def test_series_of_different_bases_differ():
    assert len({derived_seed(base, 0, {}) for base in range(1000)}) > 990
