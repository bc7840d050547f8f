"""Campaigns of any shape, for tests over all of them."""

from hypothesis import strategies as st

from tests.campaigns import expansion

axes = st.fixed_dictionaries(
    {},
    optional={
        "product": st.lists(
            st.sampled_from(["mug", "box", "lamp", "ball"]), min_size=1, max_size=4, unique=True
        ),
        "color": st.lists(
            st.sampled_from(["red", "blue", "teal"]), min_size=1, max_size=3, unique=True
        ),
        "guidance": st.lists(
            st.sampled_from([1.0, 3.0, 5.0]), min_size=1, max_size=3, unique=True
        ),
        "steps": st.lists(st.integers(1, 5), min_size=1, max_size=3, unique=True),
    },
)


@st.composite
def plans(draw):
    vary = draw(axes)
    prompt = "x " + " ".join(f"{{{name}}}" for name in vary if name in ("product", "color"))
    rules = []
    if vary:
        for _ in range(draw(st.integers(0, 3))):
            names = draw(st.lists(st.sampled_from(sorted(vary)), min_size=1, unique=True))
            rules.append({name: draw(st.sampled_from(vary[name])) for name in names})
    return expansion(
        prompt=prompt, vary=vary, skip=rules, seeds={"count": draw(st.integers(1, 5))}
    )
