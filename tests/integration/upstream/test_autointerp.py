"""SAE-Bench's autointerp with judges of ours: its own numbers, its traps, nothing left behind."""

from __future__ import annotations

import asyncio
import copy
import hashlib
import random
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from sae_bench.evals.autointerp import main
from sae_bench.sae_bench_utils import activation_collection, general_utils
from sae_lens import SAE
from transformer_lens import HookedTransformer

from csae_bench.corpora import open_corpus
from csae_bench.engines.autointerp.judges import OpenAiJudge, Opening
from csae_bench.engines.autointerp.messages import generation_examples, scoring_request
from csae_bench.errors import DataError, EvalError, SaeError
from csae_bench.upstream.autointerp import AutoInterpOutcome, run_autointerp
from csae_bench.upstream.autointerp_text import (
    AutoInterpSettings,
    read_tokens,
    sae_bench_config,
)
from tests.judge_server import Reply, completion, serving

HOOK_NAME = "blocks.1.hook_resid_post"
D_IN = 16

Judge = Callable[[Any, int], str]


@pytest.fixture(scope="session")
def settings() -> AutoInterpSettings:
    return AutoInterpSettings(
        model_name="toy",
        dataset_name="text",
        hook_name=HOOK_NAME,
        random_seed=42,
        n_latents=8,
        dead_latent_threshold=15,
        total_tokens=4000,
        llm_context_size=32,
        llm_batch_size=16,
        buffer=5,
        no_overlap=True,
        act_threshold_frac=0.01,
        max_tokens_in_explanation=30,
        use_demos_in_explanation=True,
        n_top_ex_for_generation=10,
        n_iw_sampled_ex_for_generation=5,
        n_top_ex_for_scoring=2,
        n_random_ex_for_scoring=10,
        n_iw_sampled_ex_for_scoring=2,
    )


@pytest.fixture(scope="session")
def tokens(
    toy_model: HookedTransformer,
    write_text: Callable[[int], Path],
    settings: AutoInterpSettings,
) -> torch.Tensor:
    rows = [
        {"text": " ".join([row["text"]] * 3)}  # SAE-Bench leaves out texts of 100 characters
        for row in open_corpus(str(write_text(120)), split="core")
    ]
    return read_tokens(rows, toy_model, settings)


def told(messages: Any) -> str:
    """An answer that depends on the question alone, and is not the same for all examples."""
    examples = generation_examples(messages)
    if examples is not None:
        return f"This neuron activates on {examples[0].words[0]}."
    asked = scoring_request(messages)
    assert asked is not None
    digests = [hashlib.sha256(example.encode()).digest()[0] for example in asked.examples]
    numbers = [str(i) for i, digest in enumerate(digests, start=1) if digest % 3 == 0]
    return ", ".join(numbers) or "None"


def answer(messages: Any, max_tokens: int) -> str:
    return told(messages)


@pytest.fixture
def judged(
    toy_model: HookedTransformer,
    tokens: torch.Tensor,
    settings: AutoInterpSettings,
    make_sae: Callable[..., SAE[Any]],
) -> Callable[..., AutoInterpOutcome]:
    def judge(by: Judge = answer, sae: Any = None, **changes: Any) -> AutoInterpOutcome:
        asked = replace(settings, **changes)
        return run_autointerp(make_sae() if sae is None else sae, toy_model, tokens, by, asked)

    return judge


def upstreams_run(
    sae: SAE[Any],
    model: HookedTransformer,
    tokens: torch.Tensor,
    settings: AutoInterpSettings,
    folder: Path,
    sparsity: torch.Tensor | None = None,
) -> dict[int, dict[str, Any]]:
    """What SAE-Bench's own function gives, with its own client."""
    config = sae_bench_config(model, settings)
    formatted = general_utils.load_and_format_sae("", copy.deepcopy(sae), "cpu")
    assert formatted is not None
    torch.save(tokens, folder / "toy_4000_tokens_32_ctx.pt")
    with torch.no_grad():
        results: Any = main.run_eval_single_sae(
            config, formatted[1], model, "cpu", str(folder), "any key", sparsity
        )
        return results


def test_a_result_is_that_of_sae_benchs_own_run_with_its_own_client(
    judged: Callable[..., AutoInterpOutcome],
    toy_model: HookedTransformer,
    tokens: torch.Tensor,
    settings: AutoInterpSettings,
    make_sae: Callable[..., SAE[Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def reply(asked: dict[str, Any]) -> Reply:
        return completion(told(asked["messages"]))

    with serving(reply) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        theirs = upstreams_run(make_sae(), toy_model, tokens, settings, tmp_path)
        asked_by_them = sorted(map(_shown, server.requests))
        server.requests.clear()
        judge = OpenAiJudge(base_url=server.base_url, api_key_env=None).open(
            Opening(model_name="toy", load_model=_never)
        )
        ours = judged(judge)
    assert len(theirs) == 8
    assert sorted(map(_shown, server.requests)) == asked_by_them
    assert [latent.latent for latent in ours.latents] == sorted(theirs)
    for latent in ours.latents:
        their = theirs[latent.latent]
        active = [i for i, a in enumerate(latent.examples.is_active, start=1) if a]
        assert latent.explanation == their["explanation"]
        assert list(latent.predictions) == their["predictions"]
        assert active == their["correct seqs"]
        assert latent.score == their["score"]
    scores = torch.tensor([theirs[latent]["score"] for latent in sorted(theirs)])
    assert ours.metrics == {
        "autointerp": {
            "autointerp_score": scores.mean().item(),
            "autointerp_std_dev": scores.std().item(),
        }
    }


def _shown(request: dict[str, Any]) -> str:
    """The last message alone: the first shows random numbers, in the order of the answers."""
    return request["messages"][-1]["content"]


def _never(name: str) -> Any:
    raise AssertionError(name)


def test_the_prompts_are_read_back_whole(
    judged: Callable[..., AutoInterpOutcome], settings: AutoInterpSettings
) -> None:
    sizes: list[tuple[int, int]] = []

    def judge(messages: Any, max_tokens: int) -> str:
        examples, asked = generation_examples(messages), scoring_request(messages)
        if examples is not None:
            sizes.append((max_tokens, len(examples)))
            assert any(any(example.is_active) for example in examples)
            return "This neuron activates on all. That is all."
        assert asked is not None
        assert asked.explanation == "all. That is all"
        sizes.append((max_tokens, len(asked.examples)))
        return "None"

    judged(judge)
    assert set(sizes) == {(30, 15), (33, 14)}


class Plain(torch.nn.Module):
    """Eight random directions."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.W_dec = torch.nn.Parameter(torch.randn(8, D_IN, generator=generator))

    def decode(self, feature_acts: torch.Tensor) -> torch.Tensor:
        return feature_acts @ self.W_dec


class Dense(Plain):
    """Latents that fire everywhere."""

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return (x @ self.W_dec.T).abs() + 1


class AbsTopK(Plain):
    """The latent whose code is the largest, whatever its sign, fires alone."""

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        codes = x @ self.W_dec.T
        return codes * (codes.abs() == codes.abs().amax(-1, keepdim=True))


def test_sae_bench_still_labels_random_examples_silent_though_a_dense_latent_fires(
    judged: Callable[..., AutoInterpOutcome],
) -> None:
    """Mended upstream, the corrected score without these examples can go."""
    outcome = judged(sae=Dense())
    for latent in outcome.latents:
        examples = latent.examples
        assert all(examples.fires)
        assert sum(examples.is_random) == 10
        at_random = zip(examples.is_active, examples.is_random, strict=True)
        assert not any(active for active, random in at_random if random)
        assert sum(examples.is_active) == 4


def test_sae_bench_still_takes_negative_codes_for_silence(
    judged: Callable[..., AutoInterpOutcome],
) -> None:
    """SAEBench issue 89. Mended upstream, `fires` needs no absolute value."""
    outcome = judged(sae=AbsTopK())
    assert outcome.negative_share > 0.3
    examples = [latent.examples for latent in outcome.latents]
    chosen_but_silent = [
        fires
        for each in examples
        for active, fires, random in zip(each.is_active, each.fires, each.is_random, strict=True)
        if not random and not active
    ]
    assert chosen_but_silent  # drawn by the squares of codes, negative ones too
    assert all(chosen_but_silent)


def test_sae_bench_still_takes_a_logarithm_for_a_frequency(
    toy_model: HookedTransformer,
    tokens: torch.Tensor,
    settings: AutoInterpSettings,
    make_sae: Callable[..., SAE[Any]],
    tmp_path: Path,
) -> None:
    """Mended upstream, the sparsity that SAELens has may be handed over."""
    log10_sparsity = torch.full((make_sae().cfg.d_sae,), -2.0)  # each fires on 1% of the tokens
    results = upstreams_run(
        make_sae(), toy_model, tokens, settings, tmp_path, sparsity=log10_sparsity
    )
    assert results == {}
    assert log10_sparsity[0] == -2.0 * settings.total_tokens  # and changes it in place


def test_sae_bench_still_drops_a_latent_whose_answer_it_cannot_parse(
    judged: Callable[..., AutoInterpOutcome],
) -> None:
    """Mended upstream, the count of such answers can go."""
    asked: list[str] = []

    def judge(messages: Any, max_tokens: int) -> str:
        if scoring_request(messages) is None:
            return told(messages)
        asked.append("")
        return "Examples one and two." if len(asked) == 3 else "1, 2"

    outcome = judged(judge)
    assert outcome.unparsed == ("Examples one and two.",)
    assert len(outcome.latents) == 7
    assert (outcome.n_drawn, outcome.n_without_examples) == (8, 0)


def test_a_judge_of_whom_nothing_can_be_parsed_fails_the_eval(
    judged: Callable[..., AutoInterpOutcome],
) -> None:
    with pytest.raises(EvalError, match=r"none of the judge's 8 answers .* the first is 'I like"):
        judged(lambda *_: "I like all of them!")


@pytest.mark.parametrize("first", [0, 5, 8])
def test_the_first_error_of_a_judge_is_raised_and_nobody_is_asked_after_it(
    first: int, judged: Callable[..., AutoInterpOutcome], make_sae: Callable[..., SAE[Any]]
) -> None:
    calls: list[int] = []

    def judge(messages: Any, max_tokens: int) -> str:
        calls.append(1)
        if len(calls) > first:
            raise EvalError(f"no answer {len(calls) > first}")
        time.sleep(0.01)
        return told(messages)

    sae = make_sae()
    before = _globals()
    with pytest.raises(EvalError, match="no answer True"):
        judged(judge, sae=sae, n_latents=30)
    assert len(calls) <= first + 10  # those that SAE-Bench's ten threads were at
    assert _globals() == before


def _globals() -> tuple[Any, ...]:
    return (
        main.AutoInterp, main.Examples, main.index_with_buffer, main.tqdm,
        activation_collection.collect_sae_activations, activation_collection.tqdm,
        torch.is_grad_enabled(), random.getstate(), torch.get_rng_state().sum().item(),
    )  # fmt: skip


def test_nothing_of_it_is_left_behind(
    judged: Callable[..., AutoInterpOutcome],
    make_sae: Callable[..., SAE[Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    sae = make_sae()
    weights, cfg, before = sae.W_enc.clone(), copy.deepcopy(vars(sae.cfg)), _globals()
    judged(sae=sae)
    assert _globals() == before
    assert torch.equal(sae.W_enc, weights)
    assert vars(sae.cfg) == cfg
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_it_runs_where_a_loop_runs_already_as_in_a_notebook(
    judged: Callable[..., AutoInterpOutcome],
) -> None:
    async def cell() -> AutoInterpOutcome:
        return judged()

    inside, outside = asyncio.run(cell()), judged()
    assert inside.latents == outside.latents


def test_a_dead_sae_has_no_score(
    judged: Callable[..., AutoInterpOutcome], make_sae: Callable[..., SAE[Any]]
) -> None:
    outcome = judged(sae=make_sae("zero"))
    assert outcome.n_drawn == 0
    assert outcome.latents == ()
    assert outcome.metrics["autointerp"] == {"autointerp_score": -1.0, "autointerp_std_dev": -1.0}


def test_another_seed_draws_other_latents_and_the_same_seed_the_same(
    judged: Callable[..., AutoInterpOutcome],
) -> None:
    first, again, other = judged(), judged(), judged(random_seed=43)
    assert first.latents == again.latents
    assert [one.latent for one in other.latents] != [one.latent for one in first.latents]


def test_a_text_that_is_too_short_and_a_hook_that_is_not_there_are_refused(
    judged: Callable[..., AutoInterpOutcome],
    toy_model: HookedTransformer,
    settings: AutoInterpSettings,
) -> None:
    for rows in ([], [{"text": "w1 w2 " * 100}]):
        with pytest.raises(DataError, match="total_tokens is 4000; the text text has fewer"):
            read_tokens(rows, toy_model, settings)
    with pytest.raises(SaeError, match=r"hook_name is 'blocks\.9\.hook_resid_post'"):
        judged(hook_name="blocks.9.hook_resid_post")
