"""csae_bench/engines/autointerp/known_latents.py."""

from __future__ import annotations

import numpy as np
import pytest

from csae_bench.engines.autointerp.known_latents import KnownLatents, known_latents
from csae_bench.engines.autointerp.world import World, world_of
from tests.unit.engines.autointerp.worlds import write_world

TOKENS = (
    ["<bos>", "Now", " the", " que", "en", " plays", " the", " piano", ".", " Sing", "s"],
) * 50


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world_of(str(write_world(tmp_path_factory.mktemp("world"))))


@pytest.fixture(scope="module")
def latents(world: World) -> KnownLatents:
    is_special = np.zeros((50, 11), dtype=bool)
    is_special[:, 0] = True
    rng = np.random.default_rng(0)
    return known_latents(TOKENS, is_special, world, n_latents=5, rng=rng)


def test_a_known_latent_fires_on_the_words_of_its_value_alone(latents: KnownLatents) -> None:
    assert latents.values == ("who=woman", "what=music")
    firing = [np.flatnonzero(latents.known[0, :, i]).tolist() for i in range(2)]
    assert firing == [[3, 4], [5, 7, 9, 10]]
    strengths = latents.known[latents.known > 0]
    assert len(np.unique(strengths)) > 200  # SAE-Bench takes equal ones for a dead latent
    assert strengths.min() >= 0.5


def test_a_random_latent_has_the_same_codes_elsewhere_and_none_on_special_tokens(
    latents: KnownLatents,
) -> None:
    for i in range(2):
        assert np.array_equal(
            np.sort(latents.random[..., i], None), np.sort(latents.known[..., i], None)
        )
    assert not np.array_equal(latents.random, latents.known)
    assert not latents.random[:, 0].any()


def test_a_text_without_the_words_has_no_known_latents(world: World) -> None:
    tokens = (["<bos>", " the", " zebra"],) * 50
    made = known_latents(
        tokens, np.zeros((50, 3), dtype=bool), world, n_latents=5, rng=np.random.default_rng(0)
    )
    assert made.values == ()
