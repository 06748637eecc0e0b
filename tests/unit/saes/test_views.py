"""What a term may read of a batch of pairs."""

import pytest
import torch

from csae_bench.saes.views import Views, split
from tests.unit.saes.losses.builders import interleave, unit_statistics, views_of

PRE = torch.tensor([[1.0, 0.2, -0.3, -0.1], [-0.5, 2.0, -0.2, -0.4]])
CODES = torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0]])


def one_pair() -> Views:
    return views_of(
        CODES[:1],
        CODES[1:],
        pre_activations=(PRE[:1], PRE[1:]),
        statistics=unit_statistics(4),
    )


@pytest.mark.parametrize(
    ("on", "anchor", "positive"),
    [
        ("codes", [1.0, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0]),
        ("pre_activations", [1.0, 0.2, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0]),
        ("union", [1.0, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0]),
    ],
)
@pytest.mark.parametrize("latents", [None, slice(2), torch.tensor([3, 1, 0])])
def test_a_reading_is_what_its_name_says(
    on: str, anchor: list[float], positive: list[float], latents: slice | torch.Tensor | None
) -> None:
    wanted = slice(None) if latents is None else latents
    result = one_pair().read(on, latents)  # pyright: ignore[reportArgumentType]
    assert torch.equal(result[0][0], torch.tensor(anchor)[wanted])
    assert torch.equal(result[1][0], torch.tensor(positive)[wanted])


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_values_are_read_in_float32_or_better(given: torch.dtype, read: torch.dtype) -> None:
    codes = CODES.to(given)
    views = views_of(codes[:1], codes[1:], statistics=unit_statistics(4))
    for on in ("codes", "pre_activations", "union"):
        assert {side.dtype for side in views.read(on)} == {read}


def test_rows_alternate_between_the_views() -> None:
    anchors, positives = torch.rand(2, 5, 3)
    first, second = split(interleave(anchors, positives))
    assert torch.equal(first, anchors)
    assert torch.equal(second, positives)


def test_a_latent_is_active_above_zero_and_where_it_is_nan() -> None:
    codes = torch.tensor([[0.0, 1e-30, -1.0, torch.nan]])
    views = views_of(codes, codes, statistics=unit_statistics(4))
    assert views.active[0].tolist() == [False, True, False, True]
