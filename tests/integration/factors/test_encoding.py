"""Codes of factor datasets: of the bundled model's prompts, and of a synthetic world."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
import torch
from sae_lens import SAE, StandardSAE, StandardSAEConfig, TopKSAE, TopKSAEConfig
from sae_lens.saes.sae import SAEMetadata

from csae_bench import models
from csae_bench.errors import DataError, EvalError, ModelError
from csae_bench.evals import EvalContext
from csae_bench.factors import FactorDataset, Pooling, encoding, pooler
from csae_bench.factors.encoding import codes_by_pooling, codes_of_prompts

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

NAME = "tiny-gemma2-it"
HOOK = "blocks.2.hook_resid_post"
TEXTS = (
    "The king sleeps.",
    "We report that the old queen copied a lone ordinary telescope beside the garden.",
    "The king sleeps.",
    "We report that the king saw the planet.",
    "The",
)


@pytest.fixture(scope="module")
def model() -> HookedTransformer:
    return models.load(NAME)


def _sae(d_in: int = 128, d_sae: int = 96, **config: Any) -> SAE[Any]:
    torch.manual_seed(0)
    return TopKSAE(TopKSAEConfig(d_in=d_in, d_sae=d_sae, k=8, **config))


@pytest.fixture(scope="module")
def sae() -> SAE[Any]:
    return _sae()


def _dataset(texts: tuple[str, ...] = TEXTS, **changes: Any) -> FactorDataset:
    return FactorDataset(
        name="five",
        prompts=texts,
        factors=np.arange(len(texts))[:, None] % 2,
        names=("x",),
        value_names=(("no", "yes"),),
        templates=texts,
        split="all",
        **changes,
    )


@contextmanager
def _counted_sequences(model: HookedTransformer) -> Generator[list[int]]:
    """Sizes of the batches that the model's first layer reads."""
    sizes: list[int] = []
    handle = model.blocks[0].register_forward_hook(lambda _, __, out: sizes.append(len(out)))
    yield sizes
    handle.remove()


def _one_by_one(
    sae: SAE[Any], model: HookedTransformer, text: str, hook_name: str = HOOK
) -> torch.Tensor:
    """Codes of a text's tokens, `<bos>` left out, straight from transformer-lens."""
    tokens = model.to_tokens(text, prepend_bos=True)
    acts = model.run_with_cache(tokens, prepend_bos=False)[1][hook_name]
    return sae.encode(acts[0, 1:]).detach()


POOLED = {
    "mean": lambda codes: codes.mean(0),
    "max": lambda codes: codes.amax(0),
    "last": lambda codes: codes[-1],
}


@pytest.mark.parametrize("pooling", POOLED)
def test_codes_are_pooled_over_the_tokens_that_are_not_special(
    model: HookedTransformer, sae: SAE[Any], pooling: Pooling
) -> None:
    encoded = codes_of_prompts(sae, model, _dataset(), HOOK, pooling=pooling)
    expected = torch.stack([POOLED[pooling](_one_by_one(sae, model, text)) for text in TEXTS])
    # matrix products of other shapes round otherwise
    torch.testing.assert_close(
        torch.from_numpy(encoded.codes.toarray()), expected, atol=1e-4, rtol=0
    )
    assert encoded.codes.dtype == np.float32
    assert encoded.codes.format == "csr"
    assert encoded.pooling == pooling


@pytest.mark.parametrize("pooling", POOLED)
def test_the_models_activations_are_pooled_as_the_codes_are(
    model: HookedTransformer, sae: SAE[Any], pooling: Pooling
) -> None:
    with _counted_sequences(model) as sizes:
        encoded = codes_of_prompts(sae, model, _dataset(), HOOK, pooling=pooling)
    assert sum(sizes) == len(TEXTS)
    read = [model.run_with_cache(model.to_tokens(text))[1][HOOK][0, 1:] for text in TEXTS]
    expected = torch.stack([POOLED[pooling](acts) for acts in read])
    assert encoded.acts is not None
    torch.testing.assert_close(torch.from_numpy(encoded.acts), expected, atol=1e-4, rtol=0)


def test_one_pass_gives_the_codes_of_all_poolings(model: HookedTransformer, sae: SAE[Any]) -> None:
    poolings: tuple[Pooling, ...] = ("last", "mean", "max")
    with _counted_sequences(model) as sizes:
        together = codes_by_pooling(sae, model, _dataset(), HOOK, poolings=poolings)
    assert sum(sizes) == len(TEXTS)
    for pooling in poolings:
        alone = codes_of_prompts(sae, model, _dataset(), HOOK, pooling=pooling)
        codes = together[pooling]
        np.testing.assert_array_equal(codes.codes.toarray(), alone.codes.toarray())
        np.testing.assert_array_equal(codes.acts, alone.acts)
        np.testing.assert_array_equal(codes.n_tokens, alone.n_tokens)
        assert codes.pooling == pooling


def test_activations_that_would_fill_the_memory_are_not_kept(
    model: HookedTransformer, sae: SAE[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding, "MAX_POOLED_ACTS", 5 * 128 - 1)
    assert codes_of_prompts(sae, model, _dataset(), HOOK).acts is None


def test_the_marked_token_is_the_one_that_holds_the_marks_character(
    model: HookedTransformer, sae: SAE[Any]
) -> None:
    marked = ["king", "queen", "The", "report", "The"]
    marks = tuple(
        text.index(word) + len(word) - 1 for text, word in zip(TEXTS, marked, strict=True)
    )
    encoded = codes_of_prompts(sae, model, _dataset(pooling="marked", marks=marks), HOOK)
    for row, (text, word) in enumerate(zip(TEXTS, marked, strict=True)):
        tokens = model.to_tokens(text, prepend_bos=False)[0]
        words = [cast(Any, model.tokenizer).decode([token]).strip() for token in tokens.tolist()]
        position = words.index(word)
        expected = _one_by_one(sae, model, text)[position]
        torch.testing.assert_close(
            torch.from_numpy(encoded.codes[[row]].toarray()[0]), expected, atol=1e-4, rtol=0
        )
    assert encoded.n_tokens.tolist() == [1] * 5


def test_codes_do_not_depend_on_batches_or_on_how_much_is_in_memory(
    model: HookedTransformer, sae: SAE[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    together = codes_of_prompts(sae, model, _dataset(), HOOK)
    alone = codes_of_prompts(sae, model, _dataset(), HOOK, batch_size_prompts=1)
    monkeypatch.setattr(pooler, "MAX_DENSE_CODES", 3 * 96)
    in_parts = codes_of_prompts(sae, model, _dataset(), HOOK)
    for other in (alone, in_parts):
        np.testing.assert_allclose(other.codes.toarray(), together.codes.toarray(), atol=1e-4)
        assert other.n_tokens.tolist() == together.n_tokens.tolist()


def test_no_more_codes_than_allowed_are_dense_at_once(
    model: HookedTransformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    class Watched(TopKSAE):
        def encode(self, x: torch.Tensor) -> torch.Tensor:
            codes = super().encode(x)
            sizes.append(codes.numel())
            return codes

    monkeypatch.setattr(pooler, "MAX_DENSE_CODES", 7 * 96)
    codes_of_prompts(
        Watched(TopKSAEConfig(d_in=128, d_sae=96, k=8)), model, _dataset(), HOOK, pooling="max"
    )
    assert max(sizes) <= 7 * 96


def test_each_prompt_is_read_once(model: HookedTransformer, sae: SAE[Any]) -> None:
    with _counted_sequences(model) as sizes:
        codes_of_prompts(sae, model, _dataset(), HOOK, batch_size_prompts=2)
    assert sizes == [2, 2, 1]


def test_negative_codes_survive_a_maximum(model: HookedTransformer) -> None:
    class Identity(StandardSAE):
        def encode(self, x: torch.Tensor) -> torch.Tensor:
            return x

    sae = Identity(StandardSAEConfig(d_in=128, d_sae=128))
    encoded = codes_of_prompts(sae, model, _dataset(), HOOK, pooling="max")
    assert (encoded.codes.toarray() < 0).any()


def test_heads_are_joined_where_the_sae_joins_them(model: HookedTransformer) -> None:
    hook = "blocks.1.attn.hook_z"
    metadata = SAEMetadata(hook_name=hook)
    sae = _sae(d_in=256, reshape_activations="hook_z", metadata=metadata)
    assert sae.hook_z_reshaping_mode
    encoded = codes_of_prompts(sae, model, _dataset(), hook, pooling="max")
    expected = _one_by_one(sae, model, TEXTS[1], hook).amax(0)
    torch.testing.assert_close(
        torch.from_numpy(encoded.codes[[1]].toarray()[0]), expected, atol=1e-4, rtol=0
    )


def test_long_prompts_are_cut_and_counted(model: HookedTransformer, sae: SAE[Any]) -> None:
    encoded = codes_of_prompts(sae, model, _dataset(), HOOK, context_size=4)
    assert encoded.n_tokens.max() == 3
    assert encoded.n_truncated == 4


def test_top_prompts_are_those_with_the_largest_codes(
    model: HookedTransformer, sae: SAE[Any]
) -> None:
    encoded = codes_of_prompts(sae, model, _dataset(), HOOK)
    dense = encoded.codes.toarray()
    latent = int((dense > 0).sum(0).argmax())
    top = encoded.top_prompts(latent, 3)
    assert [prompt.value for prompt in top] == sorted(dense[:, latent], reverse=True)[:3]
    assert all(TEXTS[prompt.row] == prompt.text for prompt in top)
    silent = int((dense > 0).sum(0).argmin())
    assert encoded.top_prompts(silent) == ()
    with pytest.raises(IndexError, match="latent is 96; it must be 0 to 95"):
        encoded.top_prompts(96)


@pytest.mark.usefixtures("unchecked_shapes")
def test_faults_are_sentences(model: HookedTransformer, sae: SAE[Any]) -> None:
    with pytest.raises(DataError, match=r"prompt 1 \(''\): has no token other than special ones"):
        codes_of_prompts(sae, model, _dataset(("The", "")), HOOK)
    marked = _dataset(pooling="marked", marks=(7, 70, 0, 3, 2))
    with pytest.raises(
        DataError, match=r"prompt 1 .* its marked token is number .*, and 6 are read"
    ):
        codes_of_prompts(sae, model, marked, HOOK, context_size=6)
    unknown = _dataset(("The king", "The zyxt"), pooling="marked", marks=(4, 4))
    with pytest.raises(DataError, match=r"prompt 1 .* marked token is a special one, '<unk>'"):
        codes_of_prompts(sae, model, unknown, HOOK)
    with pytest.raises(DataError, match="no prompt has a mark"):
        codes_of_prompts(sae, model, _dataset(), HOOK, pooling="marked")
    with pytest.raises(DataError, match="pooling is 'median'; it must be one of"):
        codes_of_prompts(sae, model, _dataset(), HOOK, pooling=cast(Any, "median"))
    with pytest.raises(DataError, match="has prompts; it needs a language model"):
        codes_of_prompts(sae, None, _dataset(), HOOK)
    with pytest.raises(ModelError, match=r"Did you mean 'blocks\.2\.hook_resid_post'"):
        codes_of_prompts(sae, model, _dataset(), "blocks.2.hook_resid_pots")


def test_a_code_that_is_not_a_number_is_an_error(model: HookedTransformer) -> None:
    sae = StandardSAE(StandardSAEConfig(d_in=128, d_sae=8))
    with torch.no_grad():
        sae.b_enc[3] = torch.nan
    with pytest.raises(EvalError, match=r"code of latent 3 is nan in sample 4 of .*'five'"):
        codes_of_prompts(sae, model, _dataset(), HOOK)


def test_evals_of_one_sae_share_one_pass_over_the_prompts(
    model: HookedTransformer, sae: SAE[Any], tmp_path: Path
) -> None:
    path = tmp_path / "five.csv"
    path.write_text("text,x\n" + "".join(f"{text},{i % 2}\n" for i, text in enumerate(TEXTS)))
    encoded: dict[tuple[Any, ...], Any] = {}

    def context() -> EvalContext:
        return EvalContext(
            sae=sae,
            sae_id="sae",
            model_name=NAME,
            hook_name=HOOK,
            device="cpu",
            artifacts=tmp_path,
            rng=np.random.default_rng(0),
            load_model=lambda _: model,
            encoded=encoded,
        )

    with _counted_sequences(model) as sizes:
        collected = [context().codes_and_factors(str(path)) for _ in range(3)]
        assert sum(sizes) == len(TEXTS)
        context().codes_and_factors(str(path), pooling="max")
        assert sum(sizes) == 2 * len(TEXTS)
    assert collected[0] is collected[1] is collected[2]
    assert collected[0].factors.names == ("x",)
    assert collected[0].factors.n == collected[0].codes.shape[0]
