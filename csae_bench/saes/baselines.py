"""Untrained SAEs: a ceiling, a linear baseline and two controls.

All are inference SAEs of SAELens's own architectures, so that plain sae_lens loads what they save;
`metadata.training_architecture` holds the baseline's name. `csae_bench/config/baselines.py` has the
table of them, whose rows name the build functions here.
"""

from __future__ import annotations

import copy
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import torch
from jaxtyping import Float
from sae_lens.saes.sae import SAE, SAEMetadata
from sae_lens.saes.standard_sae import StandardSAE, StandardSAEConfig
from sae_lens.saes.topk_sae import TopKSAE, TopKSAEConfig
from torch import Tensor

from csae_bench.config.baselines import (
    BASELINES,
    BaselineSae,
    IdentitySae,
    PcaSae,
    PermutedSae,
    RandomSae,
)
from csae_bench.errors import SaeError

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

S = TypeVar("S", bound=BaselineSae)

_CHUNK = 8192
"""Rows handled at once."""


@dataclass(frozen=True, kw_only=True)
class BuildInputs(Generic[S]):
    """Arguments of a build function, which takes what it needs."""

    settings: S

    seed: int

    d_in: int
    """Width of the activations."""

    rows: Callable[[int], Tensor]
    """The first rows [n, d_in] of what the configuration trains on, as many as are asked for."""

    model: Callable[[], HookedTransformer] | None = None
    """Loads the language model; None where the activations are generated."""

    hook_name: str | None = None
    """Hook of its activations."""

    other_sae: Callable[[], SAE[Any]]
    """Loads the SAE that `settings.other_sae` names."""

    device: str

    metadata: Mapping[str, Any]
    """Where the SAE belongs, as SAELens and SAE-Bench read it."""

    path: Path
    """The configuration's file, to be named in messages."""


def build(given: BuildInputs[Any]) -> SAE[Any]:
    """Build the baseline that the settings describe, with its row's build function.

    Raises:
        SaeError, DataError, UsageError: it cannot be made with these settings.
    """
    function = pkgutil.resolve_name(BASELINES[given.settings.architecture].build)
    return function(given)


def build_identity(given: BuildInputs[IdentitySae]) -> SAE[Any]:
    return identity(given.d_in, device=given.device, metadata=given.metadata)


def build_pca(given: BuildInputs[PcaSae]) -> SAE[Any]:
    sae = given.settings
    rows = given.rows(sae.n_fit_tokens)
    return pca(rows, sae.n_components, device=given.device, metadata=given.metadata)


def build_random(given: BuildInputs[RandomSae]) -> SAE[Any]:
    sae = given.settings
    rows = given.rows(sae.n_fit_tokens)
    return random(rows, sae.d_sae, sae.k, given.seed, device=given.device, metadata=given.metadata)


def build_permuted(given: BuildInputs[PermutedSae]) -> SAE[Any]:
    return permuted(given.other_sae(), given.seed, metadata=given.metadata)


def identity(
    d_in: int,
    *,
    device: str = "cpu",
    dtype: str = "float32",
    metadata: Mapping[str, Any] | None = None,
) -> StandardSAE:
    """Make the exact SAE x = relu(x) - relu(-x), with 2 d_in latents of which d_in are active."""
    axes = torch.eye(d_in)
    return _signed_projection("identity", axes, torch.zeros(d_in), device, dtype, metadata)


def pca(
    rows: Float[Tensor, "n_rows d_in"],
    n_components: int,
    *,
    device: str = "cpu",
    dtype: str = "float32",
    metadata: Mapping[str, Any] | None = None,
) -> StandardSAE:
    """Project on the leading principal components of `rows`.

    Each component becomes two latents, for its two signs, so n_components of 2 n_components are
    active. Components are signed so that their largest entry is positive.

    Raises:
        SaeError: rows has fewer than n_components rows or columns, or is not finite.
    """
    if n_components > min(rows.shape):
        raise SaeError(
            f"sae.n_components is {n_components}; {rows.shape[0]} rows of {rows.shape[1]} "
            f"dimensions have at most {min(rows.shape)} principal components."
        )
    moments = _moments(rows)
    _, vectors = torch.linalg.eigh(moments.covariance)
    leading = vectors.T.flip(0)[:n_components]
    largest = leading.gather(1, leading.abs().argmax(1, keepdim=True))
    return _signed_projection(
        "pca", leading * largest.sign(), moments.mean, device, dtype, metadata
    )


def random(
    rows: Float[Tensor, "n_rows d_in"],
    d_sae: int,
    k: int,
    seed: int,
    *,
    device: str = "cpu",
    dtype: str = "float32",
    metadata: Mapping[str, Any] | None = None,
) -> TopKSAE:
    """Make an SAE with a frozen decoder of random directions: no dictionary is learned.

    The decoder's rows are uniform on the unit sphere, the encoder is its transpose times one gain,
    the least-squares fit of the reconstructions to `rows`, and the bias is their mean. Sanity
    checks of this kind: arXiv:2602.14111.

    Raises:
        SaeError: k is above d_sae, or rows is not finite.
    """
    if k > d_sae:
        raise SaeError(f"sae.k is {k}; it must be at most d_sae={d_sae}.")
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(d_sae, rows.shape[1], generator=generator)
    directions /= directions.norm(dim=1, keepdim=True)
    sae = TopKSAE(
        TopKSAEConfig(
            d_in=rows.shape[1],
            d_sae=d_sae,
            k=k,
            dtype="float32",
            device=str(rows.device),
            metadata=_metadata("random", metadata),
        )
    )
    _set(sae, W_enc=directions.T, W_dec=directions, b_dec=_mean(rows))
    _set(sae, W_enc=sae.W_enc.data * _gain(sae, rows))
    return sae.to(device=device, dtype=getattr(torch, dtype))


def permuted(sae: SAE[Any], seed: int, *, metadata: Mapping[str, Any] | None = None) -> SAE[Any]:
    """Copy an SAE, with each latent's decoder row taken from another latent; codes are the same.

    The permutation is one random cycle, so no latent keeps its row (unless there is only one).
    Where the architecture chooses latents by their decoder norms, those are folded first.

    Raises:
        SaeError: its encoder is its decoder, so that a permutation would change nothing.
    """
    if "W_enc" not in sae.state_dict():
        raise SaeError(
            f"An SAE of architecture '{sae.cfg.architecture()}' encodes with its decoder; "
            "permuting that would only rename its latents."
        )
    # Rebuilt, not deep-copied: some of SAELens's SAEs hold closures over themselves.
    twin = type(sae)(copy.deepcopy(sae.cfg))
    twin.load_state_dict(sae.state_dict())
    if getattr(twin.cfg, "rescale_acts_by_decoder_norm", False):
        twin.fold_W_dec_norm()
        twin.cfg.rescale_acts_by_decoder_norm = False
    cycle = torch.randperm(twin.cfg.d_sae, generator=torch.Generator().manual_seed(seed)).to(
        twin.W_dec.device
    )
    shuffled = torch.empty_like(twin.W_dec.data)
    shuffled[cycle] = twin.W_dec.data[cycle.roll(1)]
    _set(twin, W_dec=shuffled)
    twin.cfg.metadata = _metadata("permuted", {**sae.cfg.metadata.to_dict(), **(metadata or {})})
    return twin


class _Moments(NamedTuple):
    mean: Float[Tensor, " d_in"]
    covariance: Float[Tensor, "d_in d_in"]


def _moments(rows: Float[Tensor, "n_rows d_in"]) -> _Moments:
    """Mean and covariance in float64, whatever the type of the rows."""
    mean = _mean(rows)
    covariance = torch.zeros(rows.shape[1], rows.shape[1], dtype=mean.dtype, device=rows.device)
    for chunk in _chunks(rows):
        centred = chunk.to(mean.dtype) - mean
        covariance += centred.T @ centred
    return _Moments(mean, covariance / len(rows))


def _mean(rows: Float[Tensor, "n_rows d_in"]) -> Float[Tensor, " d_in"]:
    mean = torch.stack([chunk.double().sum(0) for chunk in _chunks(rows)]).sum(0) / len(rows)
    if not mean.isfinite().all():
        raise SaeError("The activations to fit a baseline to are not finite.")
    return mean


def _gain(sae: TopKSAE, rows: Float[Tensor, "n_rows d_in"]) -> float:
    """Compute the factor that brings the reconstructions, less the bias, closest to the rows."""
    product = power = 0.0
    with torch.no_grad():
        for chunk in _chunks(rows):
            target = chunk.to(sae.dtype) - sae.b_dec
            output = sae.decode(sae.encode(chunk)) - sae.b_dec
            product += (target * output).sum(dtype=torch.float64).item()
            power += output.square().sum(dtype=torch.float64).item()
    return product / power if power > 0 else 1.0  # all rows equal: any factor fits


def _chunks(rows: Tensor) -> Iterator[Tensor]:
    return iter(rows.split(_CHUNK))


def _signed_projection(
    name: str,
    axes: Float[Tensor, "n_axes d_in"],
    mean: Float[Tensor, " d_in"],
    device: str,
    dtype: str,
    metadata: Mapping[str, Any] | None,
) -> StandardSAE:
    """x -> mean + the part of x - mean that lies in the span of orthonormal axes."""
    config = StandardSAEConfig(
        d_in=axes.shape[1],
        d_sae=2 * axes.shape[0],
        dtype=dtype,
        device=device,
        metadata=_metadata(name, metadata),
    )
    sae = StandardSAE(config)
    directions = torch.cat([axes, -axes])
    _set(sae, W_enc=directions.T, W_dec=directions, b_dec=mean)
    return sae


def _set(sae: SAE[Any], **weights: Tensor) -> None:
    for name, value in weights.items():
        getattr(sae, name).data.copy_(value)


def _metadata(name: str, given: Mapping[str, Any] | None) -> SAEMetadata:
    return SAEMetadata(**{**(given or {}), "training_architecture": name})
