"""What ablations do to probes on the same test texts before and after, for every SAE.

SAE-Bench draws new negatives at each test, so its clean and ablated accuracies are of different
texts; it keeps the epoch of a probe that is best on the test texts; and it counts what ablation
changes at padding. Here rows are fixed by dataset, class and seed, epochs are chosen on training
rows that are kept back, and a text's change is that of its own tokens: the mean of its codes times
the latents' directions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from sae_bench.evals.scr_and_tpp.main import select_top_n_features
from sae_bench.sae_bench_utils.dataset_info import PAIRED_CLASS_KEYS
from torch import Tensor

from csae_bench.activations.shared import SharedPasses
from csae_bench.engines.perturbation.scores import ScrTexts, TppTexts
from csae_bench.upstream.class_probes import Rows, Schedule, held_out_probe, is_right, rows_of

SECOND, FIRST, BIASED = PAIRED_CLASS_KEYS
"""SAE-Bench's names of the second label, the first, and of both together."""

_TOLERANCE = 1e-3
_IS_HALF = (torch.bfloat16, torch.float16)
_HALF_TOLERANCE = 0.05


class DatasetActs(NamedTuple):
    """Values of a dataset's texts by class."""

    train: dict[str, Tensor]
    test: dict[str, Tensor]


class PooledDataset(NamedTuple):
    """A row for each text."""

    acts: DatasetActs
    codes: DatasetActs


@dataclass(frozen=True, kw_only=True)
class PairTexts:
    """One pair of scr, both ways."""

    directions: tuple[ScrTexts, ScrTexts]
    """1: the second label's latents are ablated and the first is judged; 2: the reverse."""
    chosen: int | None
    """Index of the direction in which the biased probe is worse on training texts; None: a tie."""
    control: tuple[tuple[ScrTexts, ScrTexts], ...]
    """The same with random latents that are active, one for each draw."""


class _Judge:
    """Fixed rows, probes and ablations of one dataset."""

    def __init__(
        self, sae: Any, pooled: PooledDataset, schedule: Schedule, place: str, seed: int,
        shared: SharedPasses, *, paired: bool,
    ) -> None:  # fmt: skip
        self._sae, self._schedule, self._shared = sae, schedule, shared
        self._place, self._seed, self._paired = place, seed, paired
        train, test = pooled.acts
        self._counts = {name: len(x) for name, x in train.items()}
        self._test_counts = {name: len(x) for name, x in test.items()}
        self._train = torch.cat(list(train.values())).float()
        self._test = torch.cat(list(test.values())).float()
        self._train_codes = torch.cat(list(pooled.codes.train.values())).float()
        self._test_codes = torch.cat(list(pooled.codes.test.values())).float()

    def train_rows(self, name: str) -> Rows:
        place = f"{self._place}/train"
        rows = rows_of(self._counts, name, place, self._seed, paired=self._paired)
        return Rows(*(part.to(self._train.device) for part in rows))

    def test_rows(self, name: str) -> Rows:
        place = f"{self._place}/test"
        rows = rows_of(self._test_counts, name, place, self._seed, paired=self._paired)
        return Rows(*(part.to(self._train.device) for part in rows))

    def probe(self, name: str) -> Any:
        """Return a class's probe, the same for every SAE."""
        rows = self.train_rows(name)
        x = self._train[rows.ids]
        digest = hashlib.blake2b(x.cpu().numpy().tobytes(), digest_size=16).hexdigest()
        place = f"{self._place}/{name}"
        key = ("held-out probe", digest, place, self._seed, self._schedule)
        return self._shared.get_or_make(
            key, lambda: held_out_probe(x, rows.labels, self._schedule, place, self._seed)
        )

    def is_right_in_training(self, probe: Any, name: str) -> float:
        rows = self.train_rows(name)
        return float(is_right(probe, self._train[rows.ids], rows.labels).float().mean())

    def is_right(
        self, probe: Any, name: str, change: Tensor | None = None
    ) -> Bool[NDArray[Any], " n_test"]:
        """Test which of a class's test rows are right, `change` added to the activations."""
        rows = self.test_rows(name)
        acts = self._test if change is None else self._test + change
        return is_right(probe, acts[rows.ids], rows.labels).cpu().numpy()

    def effects(self, name: str) -> Float[Tensor, " d_sae"]:
        """Estimate how much each latent moves the class's probe, by SAE-Bench's formula.

        In tpp only latents count that are more active in the class, by magnitude: codes of an SAE
        with signs count as those without do.
        """
        rows = self.train_rows(name)
        codes, is_of_class = self._train_codes[rows.ids], rows.labels == 1
        of_class, of_others = codes[is_of_class].mean(0), codes[~is_of_class].mean(0)
        by_latent = self._sae.W_dec.detach().float() @ self.probe(name).net.weight[0].detach()
        effects = (of_class - of_others) * by_latent
        if self._paired:
            return effects.abs()
        return torch.where(of_class.abs() > of_others.abs(), effects, 0.0)

    def change(self, is_ablated: Bool[Tensor, " d_sae"]) -> Float[Tensor, "n_texts d_in"]:
        """Return the change of each test text's mean activation."""
        latents = is_ablated.nonzero().squeeze(1)
        return -self._test_codes[:, latents] @ self.directions(latents)

    def directions(self, latents: Int[Tensor, " n_latents"]) -> Float[Tensor, "n_latents d_in"]:
        """Return what each latent at 1 adds to the reconstruction."""
        d_sae, dtype = self._train_codes.shape[1], self._sae.W_dec.dtype
        codes = self._train_codes.new_zeros(len(latents) + 1, d_sae, dtype=dtype)
        codes[torch.arange(len(latents)), latents] = 1
        decoded = self._sae.decode(codes).float()
        return decoded[:-1] - decoded[-1]

    def is_affine(self) -> bool:
        """Test whether directions of latents add up in the decoder."""
        few = self._test_codes[:4].to(self._sae.W_dec.dtype)
        latents = (few != 0).any(dim=0).nonzero().squeeze(1)
        moved = self._sae.decode(few).float() - self._sae.decode(torch.zeros_like(few)).float()
        added = few[:, latents].float() @ self.directions(latents)
        tolerance = _HALF_TOLERANCE if few.dtype in _IS_HALF else _TOLERANCE
        scale = float(moved.abs().max()) if len(latents) else 1.0
        return torch.allclose(moved, added, rtol=0, atol=tolerance * scale)

    def random_latents(self, n: int, draw: int) -> Bool[Tensor, " d_sae"]:
        """Draw latents that are active in training texts; the first n of an order of its own."""
        alive = (self._train_codes != 0).any(dim=0).nonzero().squeeze(1).cpu().numpy()
        order = np.random.default_rng((self._seed, draw)).permutation(alive)
        mask = torch.zeros(self._train_codes.shape[1], dtype=torch.bool)
        mask[torch.from_numpy(order[:n].copy())] = True
        return mask.to(self._train.device)


@torch.no_grad()
def tpp_texts(
    sae: Any,
    pooled: PooledDataset,
    n_values: tuple[int, ...],
    schedule: Schedule,
    place: str,
    seed: int,
    shared: SharedPasses,
) -> TppTexts | None:
    """Return which test texts of each class are right; None if the decoder is not affine."""
    judge = _Judge(sae, pooled, schedule, place, seed, shared, paired=False)
    if not judge.is_affine():
        return None
    classes = tuple(pooled.acts.train)
    probes = {name: judge.probe(name) for name in classes}
    ablated: dict[tuple[str, int], Mapping[str, NDArray[Any]]] = {}
    for name in classes:
        effects = judge.effects(name)
        for n in n_values:
            change = judge.change(select_top_n_features(effects, n, name))
            ablated[name, n] = {c: judge.is_right(probes[c], c, change) for c in classes}
    return TppTexts(
        classes=classes,
        clean={name: judge.is_right(probe, name) for name, probe in probes.items()},
        ablated=ablated,
    )


@torch.no_grad()
def scr_texts(
    sae: Any,
    pooled: PooledDataset,
    n_values: tuple[int, ...],
    schedule: Schedule,
    place: str,
    seed: int,
    shared: SharedPasses,
    *,
    n_control: int,
) -> PairTexts | None:
    """Return which test texts of a pair are right; None if the decoder is not affine."""
    judge = _Judge(sae, pooled, schedule, place, seed, shared, paired=True)
    if not judge.is_affine():
        return None
    biased = judge.probe(BIASED)

    def directions(changes: Mapping[str, Mapping[int, Tensor]]) -> tuple[ScrTexts, ScrTexts]:
        made = tuple(
            ScrTexts(
                clean=judge.is_right(judge.probe(judged), judged),
                biased=judge.is_right(biased, judged),
                ablated={
                    n: judge.is_right(biased, judged, change)
                    for n, change in changes[ablated].items()
                },
            )
            for judged, ablated in ((FIRST, SECOND), (SECOND, FIRST))
        )
        return made[0], made[1]

    chosen_latents = {
        name: {
            n: judge.change(select_top_n_features(judge.effects(name), n, name)) for n in n_values
        }
        for name in (FIRST, SECOND)
    }
    control: list[tuple[ScrTexts, ScrTexts]] = []
    for draw in range(n_control):
        random = {n: judge.change(judge.random_latents(n, draw)) for n in n_values}
        control.append(directions({FIRST: random, SECOND: random}))
    first, second = (judge.is_right_in_training(biased, name) for name in (FIRST, SECOND))
    return PairTexts(
        directions=directions(chosen_latents),
        chosen=None if first == second else int(first > second),
        control=tuple(control),
    )
