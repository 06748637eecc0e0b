"""State of the contrastive terms in addition to the SAE's weights: running statistics, profiles of
values, a projection head, a learned temperature. All of it is dropped when an SAE is saved for
inference.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from csae_bench.config.loss_terms import PairKind, RowsSettings, SwapSettings
from csae_bench.saes.profiles import ValueProfiles
from csae_bench.saes.statistics import RunningStatistics

Kinds = tuple[PairKind, ...] | None
"""Kinds of pairs that a term looks at; none: all whose rows are alike."""

FIRST_TEMPERATURE = 0.2
LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 0.01, 1.0
"""Range of the learned temperature: CLIP's floor (Radford et al. 2021, arXiv:2103.00020)."""


class ContrastiveParts(nn.Module):
    """Contrastive state of one SAE in training."""

    log_temperature: nn.Parameter | None
    head: nn.Module | None
    profiles: ValueProfiles | None

    def __init__(
        self,
        d_sae: int,
        rows: RowsSettings | None,
        *,
        swap: SwapSettings | None = None,
        device: torch.device | str,
        kinds: Iterable[Kinds] = (None,),
    ) -> None:
        super().__init__()
        self._statistics = nn.ModuleDict({_key(k): RunningStatistics(d_sae, device) for k in kinds})
        self.head = None if rows is None else projection_head(d_sae, rows, device)
        self.profiles = None if swap is None else ValueProfiles(swap.n_values, d_sae, device)
        self.log_temperature = None
        if rows is not None and rows.temperature == "learned":
            self.log_temperature = nn.Parameter(
                torch.tensor(math.log(FIRST_TEMPERATURE), device=device)
            )

    def statistics_of(self, kinds: Kinds = None) -> RunningStatistics:
        """Return the running statistics of the pairs of these kinds; none: of all pairs."""
        statistics = self._statistics[_key(kinds)]
        assert isinstance(statistics, RunningStatistics)
        return statistics

    def temperature(self) -> Tensor | None:
        """Return the learned temperature, if there is one, clamped to its range."""
        if self.log_temperature is None:
            return None
        with torch.no_grad():
            # The parameter, not the value: beyond a clamp it has no gradient and never comes back.
            self.log_temperature.clamp_(math.log(LOWEST_TEMPERATURE), math.log(HIGHEST_TEMPERATURE))
        return self.log_temperature.exp()


def _key(kinds: Kinds) -> str:
    return "all" if kinds is None else "+".join(kinds)


def projection_head(d_sae: int, rows: RowsSettings, device: torch.device | str) -> nn.Module | None:
    """Make the head between the latents that `rows` compares and their cosines; None without one.

    `mlp` is SimCLR's: one hidden layer, then linear (Chen et al. 2020, arXiv:2002.05709, sec. 2.1).
    """
    n_latents = max(1, round(rows.latent_fraction * d_sae))
    width = rows.projection_width
    if rows.projection == "linear":
        return nn.Linear(n_latents, width, bias=False, device=device)
    if rows.projection == "mlp":
        return nn.Sequential(
            nn.Linear(n_latents, width, device=device),
            nn.ReLU(),
            nn.Linear(width, width, device=device),
        )
    return None
