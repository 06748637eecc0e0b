"""Seconds, disk and network of many SAEs of Gemma-2-2B on H100s, from figures of one H200.

Both cards multiply matrices at the same published rate, and an H200's memory is faster. A part that
was measured takes as long on an H100 if nothing of it waits for memory (`fast`), and longer by the
ratio of the bandwidths if all of it does (`slow`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from benchmarks.operations import Operations

BF16_PEAK = 989e12
"""Operations a second of dense products in bfloat16, H100 SXM and H200, as published."""
H100_BANDWIDTH, H200_BANDWIDTH = 3.35, 4.8
"""TB/s of their memories, as published."""
SLOW = H200_BANDWIDTH / H100_BANDWIDTH
CORE_BATCHES, CORE_PROMPTS = (200, 2000), 16
"""SAE-Bench's, for reconstruction and for sparsity: those that `gpu_core_seconds` is scaled to."""
MEASURED_WIDTH = 16384
"""d_sae of what was measured of evals."""
CONTEXT = 128


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """What is assumed, not measured."""

    n_saes: int = 1000
    """SAEs of one hook."""
    n_groups: int = 10
    """Groups of SAEs that are trained on the same rows: one seed each."""
    n_tokens: int = 100_000_000
    """Rows of each training."""
    batch_size: int = 4096
    """Rows of a step, as it was measured."""
    start_seconds: float = 120.0
    """Of each shard: imports, the model's weights from the disk to the card."""
    machine_gpus: int = 8
    """Cards of a machine, which downloads the model and the text once."""
    bytes_a_token_of_text: float = 4.5
    """Text on the hub, for each token."""
    hub_bytes_a_parameter: int = 4
    """Weights on the hub."""
    disk_gb_a_second: float = 1.0
    """Of reading cached activations."""


class Part(NamedTuple):
    """A measured part of the work."""

    name: str
    is_shared: bool
    """Whether SAEs of a shard make it once."""
    fast: float
    """Seconds at the speed of the card that was measured."""
    operations: float
    """Counted operations; 0: none are counted, and the share is unknown."""
    source: str
    """Figures that it is computed from."""
    is_on_card: bool = True
    """False: a processor's work, and as long on every card."""

    @property
    def slow(self) -> float:
        """Seconds if all of it waits for the card's memory."""
        return self.fast * SLOW if self.is_on_card else self.fast

    @property
    def share(self) -> float:
        """Share of the published bfloat16 peak that the counted operations reach."""
        return self.operations / self.fast / BF16_PEAK

    @property
    def share_if_slow(self) -> float:
        """The same at `slow`."""
        return self.operations / self.slow / BF16_PEAK


class Cost(NamedTuple):
    """Seconds of a shard: start, what is shared for each pass over the rows, and each SAE's own."""

    start: float
    drawing: float
    """Of one pass over the rows of a training."""
    shared: float
    """What the evals of all SAEs share."""
    own: float
    n_side_by_side: int

    def of_shard(self, relative: list[float]) -> float:
        """Return the seconds of a shard.

        Args:
            relative: own cost of each of its SAEs, in units of the mean.
        """
        n_passes = math.ceil(len(relative) / self.n_side_by_side)
        return self.start + n_passes * self.drawing + self.shared + sum(relative) * self.own


def training_parts(
    figures: Mapping[str, float], counted: Operations, assumed: Assumptions, width: str
) -> list[Part]:
    """Return the parts of training one SAE to its last step."""
    n_steps = assumed.n_tokens // assumed.batch_size
    prefix = f"gpu_train_{width}"
    a_step = assumed.batch_size / figures[f"{prefix}_tokens_per_second"]
    step = figures[f"gpu_step_{width}_autocast"] / 1000
    rows = n_steps * assumed.batch_size
    return [
        Part(
            "language model to the hook",
            True,
            n_steps * a_step * figures[f"{prefix}_model_share"],
            rows * counted.prefix,
            f"`{prefix}_model_share`, `{prefix}_tokens_per_second`",
        ),
        Part(
            "text, pairs, shuffling",
            True,
            n_steps * a_step * figures[f"{prefix}_waiting_share"],
            0.0,
            f"`{prefix}_waiting_share`, `{prefix}_tokens_per_second`",
            is_on_card=False,
        ),
        Part(
            "steps of the SAE, bfloat16 autocast",
            False,
            n_steps * step,
            # forward, and backward twice that
            3 * rows * counted.sae,
            f"`gpu_step_{width}_autocast`",
        ),
    ]


def core_parts(
    figures: Mapping[str, float], counted: Operations, model_share: float, d_sae: int
) -> list[Part]:
    """Return the parts of core: the model's, and what is left of the measured time.

    Args:
        counted: of a token, with an SAE of `MEASURED_WIDTH`.
        model_share: of the published peak, that the model's passes reach in training.
    """
    tokens = CORE_PROMPTS * CONTEXT
    n_reconstruction, n_sparsity = CORE_BATCHES
    # the suffix runs clean, ablated, and once with each SAE
    shared = tokens * (
        (n_reconstruction + n_sparsity) * counted.prefix + 2 * n_reconstruction * counted.suffix
    )
    suffix = tokens * n_reconstruction * counted.suffix
    sae = tokens * (n_reconstruction + n_sparsity) * counted.sae
    of_model = shared / (model_share * BF16_PEAK)
    own = figures["gpu_core_seconds"] - of_model
    wider = d_sae / MEASURED_WIDTH
    source = "`gpu_core_seconds`, divided by operations at the model's share in training"
    return [
        Part("core: passes of the model", True, of_model, shared, source),
        Part("core: passes and statistics of the SAE", False, own * wider, suffix + sae * wider,
             f"the rest of `gpu_core_seconds`{'' if wider == 1 else f', times {wider:g}'}"),
    ]  # fmt: skip


def factor_parts(figures: Mapping[str, float], metric_seconds: float, d_sae: int) -> list[Part]:
    """Return the parts of the factor evals: codes on the card, metrics on a processor.

    Args:
        metric_seconds: of an SAE of `MEASURED_WIDTH`, on as many prompts as Gemma's SAEs have.
    """
    wider = d_sae / MEASURED_WIDTH
    times = "" if wider == 1 else f", times {wider:g}"
    return [
        Part("factor evals: codes", False, figures["gpu_factor_codes_seconds"] * wider, 0.0,
             f"`gpu_factor_codes_seconds`{times}"),
        Part("factor evals: metrics", False, metric_seconds * wider, 0.0,
             f"`eval_costs.json`, scaled to Gemma's prompts{times}", is_on_card=False),
    ]  # fmt: skip


def cost(parts: list[Part], assumed: Assumptions, speed: str, n_side_by_side: int) -> Cost:
    """Add up parts, at the `fast` or the `slow` end.

    Args:
        n_side_by_side: trainings that fit a card.
    """

    def total(of: list[Part]) -> float:
        return sum(part.fast if speed == "fast" else part.slow for part in of)

    shared = [part for part in parts if part.is_shared]
    drawn = [part for part in shared if not part.name.startswith("core")]
    return Cost(
        start=assumed.start_seconds,
        drawing=total(drawn),
        shared=total([part for part in shared if part not in drawn]),
        own=total([part for part in parts if not part.is_shared]),
        n_side_by_side=n_side_by_side,
    )


class Bytes(NamedTuple):
    """Bytes on the disk and through the network."""

    weights: float
    """Of one SAE, float32."""
    trainer_state: float
    """Of one training that is not finished: weights and Adam's two moments."""
    results: float
    """Of one SAE: its result files."""
    cached_rows: float
    """Of one group, if its activations are kept in bfloat16: `activations.cache_gib`."""
    model: float
    """Download, once a machine."""
    text: float
    """Download of one group's text, each time its rows are drawn."""


def sizes(shape: Mapping[str, Any], n_parameters: int, assumed: Assumptions, d_sae: int,
          result_bytes: float) -> Bytes:  # fmt: skip
    """Return sizes from counts alone, but for result files, whose size was measured."""
    d_model = int(shape["d_model"])
    weights = 4.0 * (2 * d_model * d_sae + d_model + d_sae)
    return Bytes(
        weights=weights,
        trainer_state=3 * weights,
        results=result_bytes * d_sae / MEASURED_WIDTH,
        cached_rows=2.0 * d_model * assumed.n_tokens,
        # the hub's file has one matrix for embedding and unembedding
        model=assumed.hub_bytes_a_parameter * (n_parameters - d_model * float(shape["d_vocab"])),
        text=assumed.bytes_a_token_of_text * assumed.n_tokens,
    )
