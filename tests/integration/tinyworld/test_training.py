"""Training a language model of the world, for some seconds."""

import pytest
import torch

from csae_bench.tinyworld import lm
from csae_bench.tinyworld.__main__ import main

SMALL = lm.LMTraining(steps=60, batch=16, context=64, long_share=0.1, factor_steps=3)


@pytest.fixture(scope="module")
def trained():
    losses: list[float] = []
    model = lm.train(SMALL, lambda step, loss: losses.append(loss))
    return model, losses


@pytest.mark.slow
def test_loss_falls_in_a_minute_of_training(trained):
    _, losses = trained
    assert len(losses) == SMALL.steps
    assert losses[0] > 6.5  # ln 1400 = 7.2, what knowing nothing costs
    assert sum(losses[-5:]) / 5 < losses[0] - 2.5


@pytest.mark.slow
def test_training_is_reproducible():
    few = lm.LMTraining(steps=3, batch=4, context=32, factor_steps=2)
    first, second = (lm.train(few).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_saved_model_loads_with_transformers_and_gives_the_same_logits(trained, tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, _ = trained
    lm.save(model, tmp_path)
    tokens = AutoTokenizer.from_pretrained(tmp_path)("The note ended with", return_tensors="pt")
    again = AutoModelForCausalLM.from_pretrained(tmp_path, attn_implementation="eager").eval()
    with torch.no_grad():
        assert torch.equal(again(**tokens).logits, model(**tokens).logits)


def test_checking_a_folder_without_a_model_is_a_usage_error(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--check", "--to", str(tmp_path)])
    assert stopped.value.code == 2
    assert "config.json is missing" in capsys.readouterr().err
