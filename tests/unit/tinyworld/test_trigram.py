import numpy as np
import pytest

from csae_bench.tinyworld.trigram import fit_trigram, trigram_cross_entropy


def test_probabilities_of_the_next_token_sum_to_one():
    rng = np.random.default_rng(0)
    model = fit_trigram([rng.integers(0, 6, (4, 30))], vocab_size=7)
    for a, b in [(0, 1), (5, 5), (6, 0)]:
        rows = np.array([[a, b, c] for c in range(7)])
        p = [np.exp(-trigram_cross_entropy(model, row[None])) for row in rows]
        assert sum(p) == pytest.approx(1.0)


def test_random_tokens_cost_about_their_entropy():
    rng = np.random.default_rng(0)
    model = fit_trigram([rng.integers(0, 4, (100, 200))], vocab_size=4)
    cost = trigram_cross_entropy(model, rng.integers(0, 4, (50, 200)))
    # 64 contexts with 300 observations each: a few per cent of estimation error
    assert cost == pytest.approx(np.log(4), abs=0.02)


def test_a_repeating_text_costs_almost_nothing():
    tokens = np.tile(np.arange(5), (10, 20))
    assert trigram_cross_entropy(fit_trigram([tokens], 5), tokens) < 0.02


def test_batches_add_up():
    rng = np.random.default_rng(1)
    tokens = rng.integers(0, 9, (20, 40))
    whole = fit_trigram([tokens], 9)
    parts = fit_trigram([tokens[:7], tokens[7:]], 9)
    assert trigram_cross_entropy(whole, tokens) == trigram_cross_entropy(parts, tokens)


def test_unseen_tokens_have_a_finite_cost():
    model = fit_trigram([np.zeros((1, 10), dtype=np.int64)], vocab_size=3)
    assert np.isfinite(trigram_cross_entropy(model, np.array([[2, 1, 2, 1]])))
