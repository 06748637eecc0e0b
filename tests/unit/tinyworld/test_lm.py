import pytest
import torch

from csae_bench.tinyworld import lm


@pytest.fixture(scope="module")
def model():
    return lm.new_model(1400).eval()


def test_all_of_gemma2s_mechanics_are_on():
    config = lm.lm_config(1400)
    assert config.layer_types == ["sliding_attention", "full_attention"] * 2
    assert config.sliding_window < config.max_position_embeddings
    assert config.num_key_value_heads < config.num_attention_heads
    assert config.attn_logit_softcapping
    assert config.final_logit_softcapping
    assert config.tie_word_embeddings


def test_the_model_is_small_enough(model):
    assert model.num_parameters() <= 2_000_000


def test_two_models_of_one_seed_are_equal(model):
    for a, b in zip(model.parameters(), lm.new_model(1400).parameters(), strict=True):
        assert torch.equal(a, b)


def test_the_first_layer_cannot_see_beyond_its_window(model):
    tokens = torch.randint(6, 1400, (1, 100), generator=torch.Generator().manual_seed(0))
    changed = tokens.clone()
    changed[0, 0] += 1
    with torch.no_grad():
        before, after = (model.model(t, output_hidden_states=True) for t in (tokens, changed))
    assert torch.equal(before.hidden_states[1][0, 64:], after.hidden_states[1][0, 64:])
    assert not torch.equal(before.hidden_states[2][0, 64:], after.hidden_states[2][0, 64:])


def test_weights_choose_which_tokens_count(model):
    tokens = torch.arange(10, 30).view(1, 20)
    one = torch.zeros(1, 20)
    one[0, 5] = 3.0
    with torch.no_grad():
        logits = model(tokens).logits
    total, weight = lm.weighted_loss(logits, tokens, one)
    expected = torch.nn.functional.cross_entropy(logits[:, 4], tokens[:, 5])
    torch.testing.assert_close(total / weight, expected)
    assert weight == 3


def test_learning_rate_rises_then_falls():
    scales = [lm.learning_rate_scale(step, 100) for step in range(100)]
    assert scales[3] == max(scales) == 1.0
    assert scales[0] == 0.25
    assert 0.02 <= scales[-1] < 0.03
