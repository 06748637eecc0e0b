"""Builds the baseline `oracle` of a factor dataset that a language model reads.

True features of a language model are not known. What stands for them is what is linearly there: a
latent for each value of each factor, which fires where a logistic regression finds that value in
the activations of the training templates. Its code is that regression's logit where it is
positive. The decoder is the least-squares map from codes to activations, so that the SAE
reconstructs what the values tell of ordinary text, and no more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor

from csae_bench.factors.dataset import FactorDataset
from csae_bench.factors.encoding import codes_of_prompts
from csae_bench.saes.baselines import identity

if TYPE_CHECKING:
    from sae_lens import SAE
    from transformer_lens import HookedTransformer

_PENALTY = 1e-3
"""Ridge penalty of the decoder, as a share of the codes' mean squared length."""
_C = 0.1
"""Inverse strength of the probes' l2 penalty, on activations of unit variance."""


class ValueProbes(NamedTuple):
    """A linear probe for each value of each factor."""

    weights: Float[NDArray[Any], "n_values d_in"]
    biases: Float[NDArray[Any], " n_values"]
    names: tuple[str, ...]
    """`factor=value`."""


def probe_oracle(
    dataset: FactorDataset,
    model: HookedTransformer,
    hook_name: str,
    rows: Float[Tensor, "n_rows d_in"],
    *,
    device: str = "cpu",
    metadata: Mapping[str, Any] | None = None,
) -> SAE[Any]:
    """Make the SAE whose latents are linear probes for the values of a dataset's factors.

    Args:
        dataset: its training templates; probes read the dataset's own pooling.
        rows: activations of running text, for the decoder.

    Returns:
        An SAE of SAELens's form `standard`, one latent a value in the order of `value_probes`.
    """
    from sae_lens import StandardSAE, StandardSAEConfig
    from sae_lens.saes.sae import SAEMetadata

    d_in = rows.shape[1]
    read = codes_of_prompts(identity(d_in, device=device), model, dataset, hook_name)
    assert read.acts is not None, "a dataset for probes fits into memory"
    probes = value_probes(read.acts, dataset)
    texts = torch.from_numpy(read.acts).float()
    weights = torch.from_numpy(probes.weights).float()
    biases = torch.from_numpy(probes.biases).float()
    every = torch.cat([rows.cpu().float(), texts])
    centre = every.mean(0)
    codes = torch.relu(every @ weights.T + biases)
    sae = StandardSAE(
        StandardSAEConfig(
            d_in=d_in,
            d_sae=len(probes.names),
            apply_b_dec_to_input=False,
            metadata=SAEMetadata(**{**(metadata or {}), "training_architecture": "oracle"}),
        )
    )
    sae.load_state_dict(
        {
            "W_enc": weights.T.contiguous(),
            "b_enc": biases,
            "W_dec": _least_squares(codes, every - centre),
            "b_dec": centre,
        }
    )
    return sae.to(device)


def value_probes(acts: Float[NDArray[Any], "n d_in"], dataset: FactorDataset) -> ValueProbes:
    """Fit a logistic regression for each value of each factor against the rest.

    Classes weigh the same, whatever their sizes; activations are scaled to unit variance for the
    penalty, and the weights are of activations as they come.
    """
    from sklearn.linear_model import LogisticRegression

    scale = acts.std(axis=0) + 1e-6
    centre = acts.mean(axis=0)
    scaled = (acts - centre) / scale
    weights: list[Any] = []
    biases: list[float] = []
    names: list[str] = []
    for factor, value, is_value in _values(dataset):
        probe: Any = LogisticRegression(C=_C, class_weight="balanced", max_iter=1000)
        probe.fit(scaled, is_value)
        direction = probe.coef_[0] / scale
        weights.append(direction)
        biases.append(float(probe.intercept_[0] - direction @ centre))
        names.append(f"{factor}={value}")
    return ValueProbes(np.stack(weights), np.array(biases), tuple(names))


def _values(
    dataset: FactorDataset,
) -> Iterator[tuple[str, str, Bool[NDArray[Any], " n"]]]:
    """Yield each value that some samples have and others have not."""
    for place, (factor, values) in enumerate(zip(dataset.names, dataset.value_names, strict=True)):
        for number, value in enumerate(values):
            is_value = dataset.factors[:, place] == number
            if 0 < is_value.sum() < len(is_value):
                yield factor, value, is_value


def _least_squares(codes: Tensor, rows: Tensor) -> Tensor:
    """Return the map [d_sae, d_in] from codes to rows with a small ridge penalty."""
    gram = codes.T @ codes
    penalty = _PENALTY * gram.diagonal().mean().clamp_min(1e-12)
    return torch.linalg.solve(gram + penalty * torch.eye(len(gram)), codes.T @ rows)
