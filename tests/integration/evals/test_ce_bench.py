"""CE-Bench's scores as the harness runs them, on the bundled model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from sae_lens import TopKSAE, TopKSAEConfig

from csae_bench.errors import DataError
from csae_bench.evals import EvalContext, EvalResult, get_eval
from csae_bench.factors import encoding
from csae_bench.factors.encoding import codes_of_prompts

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

HOOK = "blocks.2.hook_resid_post"
SHORT = {"n_pairs": 12, "n_permutations": 3}


def sae(model: HookedTransformer) -> TopKSAE:
    torch.manual_seed(0)
    return TopKSAE(TopKSAEConfig(d_in=model.cfg.d_model, d_sae=64, k=8)).eval()


def run(model: HookedTransformer, folder: Path, **settings: Any) -> EvalResult:
    spec = get_eval("ce_bench")
    config = spec.config.model_validate(SHORT | settings)
    (data,) = config.needs("tiny-gemma2-it").inputs
    assert data.status()[0][0] == "ok"
    assert data.fingerprint()
    context = EvalContext(
        sae=sae(model),
        sae_id="sae",
        model_name="tiny-gemma2-it",
        hook_name=HOOK,
        device="cpu",
        artifacts=folder,
        rng=np.random.default_rng(0),
        load_model=lambda _: model,
    )
    with torch.no_grad():
        return spec.run(context, config)


def rows(path: Path, *groups: tuple[tuple[str, str], ...]) -> Path:
    lines = [
        {"group": number, "text": text, "changed": changed}
        for number, group in enumerate(groups)
        for text, changed in group
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_scores_of_a_file_are_those_of_its_texts_mean_codes(
    model: HookedTransformer, tmp_path: Path
) -> None:
    file = rows(
        tmp_path / "pairs.jsonl",
        (("the king saw a comet", ""), ("the queen saw a comet", "who")),
        (("a doctor has a medal", ""), ("a doctor has a violin", "what"),
         ("the doctor has the medal", "")),
    )  # fmt: skip
    result = run(model, tmp_path, dataset=str(file))
    texts = [
        "the king saw a comet",
        "the queen saw a comet",
        "a doctor has a medal",
        "a doctor has a violin",
        "the doctor has the medal",
    ]
    read = model.run_with_cache
    scores: list[float] = []
    codes: list[torch.Tensor] = []
    for text in texts:
        tokens = model.to_tokens(text)
        _, cache = read(tokens)
        codes.append(sae(model).encode(cache[HOOK])[0, 1:].mean(0).detach())
    for first, second in ((0, 1), (2, 3), (2, 4)):
        distance = (codes[first] - codes[second]).abs()
        scores.append(float((distance.max() - distance.mean()) / distance.std()))
    of_scores = result.metrics["scores"]
    assert of_scores["contrastive_score"] == pytest.approx(np.mean(scores[:2]), rel=1e-4)
    assert of_scores["paraphrase_contrastive_score"] == pytest.approx(scores[2], rel=1e-4)
    assert {entry["factor"]: entry["n_pairs"] for entry in result.details} == {"who": 1, "what": 1}
    by_factor = {entry["factor"]: entry["contrastive_score"] for entry in result.details}
    assert by_factor == {"who": pytest.approx(scores[0], rel=1e-4),
                         "what": pytest.approx(scores[1], rel=1e-4)}  # fmt: skip
    assert result.unstructured["data"]["n_pairs"] == 2
    assert result.unstructured["data"]["n_paraphrases"] == 1


def test_without_paraphrases_and_names_of_factors_their_values_are_null(
    model: HookedTransformer, tmp_path: Path
) -> None:
    file = rows(
        tmp_path / "pairs.jsonl",
        (("the king saw a comet", ""), ("the queen saw a comet", "")),
        (("a doctor has a medal", ""), ("a doctor has a violin", "")),
    )
    result = run(model, tmp_path, dataset=str(file))
    name = "paraphrase_contrastive_score"
    assert result.metrics["scores"][name] is None
    assert result.metrics["intervals"][f"{name}_low"] is None
    reasons = result.unstructured["reasons"]
    assert set(reasons) == {name, f"{name}_low", f"{name}_high"}
    assert set(reasons.values()) == {"no pair has a paraphrase"}
    assert [entry["factor"] for entry in result.details] == [None]


def test_auto_is_tinyworld_for_the_bundled_model_and_english_for_others(
    model: HookedTransformer, tmp_path: Path
) -> None:
    result = run(model, tmp_path)
    assert result.unstructured["data"]["pairs"] == "tinyworld"
    assert result.unstructured["data"]["n_pairs"] == SHORT["n_pairs"]
    config = get_eval("ce_bench").config()
    assert config.needs("gpt2").inputs[0].name == "english"
    for name in ("contrastive_score", "independence_score", "interpretability_score"):
        low, high = (result.metrics["intervals"][f"{name}_{end}"] for end in ("low", "high"))
        value = result.metrics["scores"][name]
        assert low is not None
        assert high is not None
        assert value is not None
        assert low <= value <= high
        assert result.metrics["chance"][f"{name}_p"] in (0.25, 0.5, 0.75, 1.0)


def test_another_seed_has_other_pairs(model: HookedTransformer, tmp_path: Path) -> None:
    first, again, other = (run(model, tmp_path, seed=seed) for seed in (0, 0, 1))
    assert first.metrics == again.metrics != other.metrics


def test_latents_that_differ_in_no_pair_have_no_contrast(
    model: HookedTransformer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_codes(*args: Any, **options: Any) -> Any:
        encoded = codes_of_prompts(*args, **options)
        return replace(encoded, codes=encoded.codes * 0)

    monkeypatch.setattr(encoding, "codes_of_prompts", without_codes)
    result = run(model, tmp_path)
    assert result.metrics["scores"]["contrastive_score"] is None
    assert result.metrics["chance"]["contrastive_score_p"] is None
    assert "no latent's mean code differs" in result.unstructured["reasons"]["contrastive_score"]


def test_one_pair_is_refused(model: HookedTransformer, tmp_path: Path) -> None:
    group = (("the king saw a comet", ""), ("the queen saw a comet", "who"))
    with pytest.raises(DataError, match=r"has 1 minimal pair; CE-Bench's scores need two"):
        run(model, tmp_path, dataset=str(rows(tmp_path / "one.jsonl", group)))


def test_a_file_that_is_missing_is_a_problem() -> None:
    config = get_eval("ce_bench").config.model_validate({"dataset": "./nowhere.jsonl"})
    ((outcome, message),) = config.needs("tiny-gemma2-it").inputs[0].status()
    assert outcome == "problem"
    assert "nowhere.jsonl" in message
