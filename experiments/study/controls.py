"""Controls that expose a gain that is none: what else must hold where value MIG has risen.

A gain of value MIG could come of latents that no longer say what they said, of information that has
moved into the reconstruction error, or of runner-ups that pruning would have removed as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from csae_bench.activations.shared import SharedPasses
from csae_bench.config import ResolvedConfig
from csae_bench.factors import open_factors
from csae_bench.factors.encoding import codes_of_prompts
from csae_bench.metrics import explicitness, value_mig
from csae_bench.training.data import held_out_stream, hook_name
from csae_bench.training.held_out_pairs import minimal_participation

if TYPE_CHECKING:
    from csae_bench.saes.attributes import AnySae

N_BATCHES = 4
"""Batches of held-out pairs that explained variance is measured on."""


class Controls:
    """Measures SAEs on a test grid's pooled tokens and on held-out minimal pairs, all on the same.

    Args:
        resolved: the configuration whose held-out pairs they are.
        model: the language model.
        factors: the dataset of the test grid.
    """

    def __init__(self, resolved: ResolvedConfig, model: Any, factors: str) -> None:
        stream = held_out_stream(resolved.config, model)
        self._batches = [(next(stream), stream.pairs) for _ in range(N_BATCHES)]
        self._dataset = open_factors(factors)
        self._model = model
        self._hook_name = hook_name(resolved.config)
        self._passes = SharedPasses()

    @torch.no_grad()
    def of(self, sae: AnySae) -> dict[str, Any]:
        """Measure an SAE.

        Returns:
            `explicitness`: held-out AUC of linear probes on the codes; `without_leaders`: without
            the best latent of each value; `of_error`: on what the SAE does not reconstruct;
            `pruned_value_mig`: without the runner-up of each value; `best_information` by value;
            `explained_variance_pairs`: at the rows of held-out minimal pairs; `participation`:
            latents that make a change over one, on average.
        """
        of_prompts = codes_of_prompts(
            sae, self._model, self._dataset, self._hook_name, shared=self._passes
        )
        codes, factors = of_prompts.checked, of_prompts.factors
        score = value_mig(codes, factors)
        leaders, runners_up = _latents(score.best_latents), _latents(score.runner_up_latents)
        assert of_prompts.acts is not None
        acts = torch.from_numpy(of_prompts.acts)
        error = (acts - sae.decode(torch.from_numpy(of_prompts.codes.toarray()))).numpy()
        clusters = self._dataset.templates
        return {
            "value_mig": score.value,
            "value_mig_by_factor": score.by_factor,
            "best_information": score.best_information,
            "explicitness": explicitness(codes, factors, clusters=clusters).value,
            "without_leaders": explicitness(
                _without(of_prompts.codes, leaders), factors, clusters=clusters
            ).value,
            "of_error": explicitness(error, factors, clusters=clusters).value,
            "pruned_value_mig": value_mig(
                _without(of_prompts.codes, runners_up - leaders), factors
            ).value,
            **self._on_pairs(sae),
        }

    def _on_pairs(self, sae: AnySae) -> dict[str, Any]:
        errors, spreads, changes = list[float](), list[float](), list[torch.Tensor]()
        for rows, pairs in self._batches:
            codes = sae.encode(rows)
            changes.append(minimal_participation(codes, pairs, sae.W_dec))
            place = pairs.kinds["minimal"]
            of_pairs = slice(2 * place.start, 2 * place.stop)
            error = rows[of_pairs] - sae.decode(codes[of_pairs])
            errors.append(float(error.square().sum()))
            spreads.append(float((rows[of_pairs] - rows[of_pairs].mean(0)).square().sum()))
        return {
            "explained_variance_pairs": 1 - sum(errors) / sum(spreads),
            "participation": float(torch.cat(changes).mean()),
        }


def _latents(by_value: Mapping[str, Mapping[str, int | None]]) -> set[int]:
    return {
        latent for values in by_value.values() for latent in values.values() if latent is not None
    }


def _without(codes: Any, latents: set[int]) -> Any:
    """Return codes in which some latents are silent."""
    kept = np.ones(codes.shape[1], dtype=codes.dtype)
    kept[sorted(latents)] = 0
    silenced = codes.multiply(kept).tocsr()
    silenced.eliminate_zeros()
    return silenced
