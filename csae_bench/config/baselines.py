"""The table of baselines, SAEs that train nothing: settings, kind, and how each is built and drawn.

To add one: write its settings here, its build function in `csae_bench/saes/baselines.py`, its row
in BASELINES and its configuration in `sae_configs/`. The rest of the project asks the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, cast

from pydantic import Field
from typing_extensions import override

from csae_bench.config.base import Count, SaeSettings

SaeKind = Literal["trained", "ceiling", "yardstick", "control"]
"""Role of an SAE.

`ceiling`: as good as an SAE can be. `yardstick`: a plain method to measure SAEs by. `control`: bad
on purpose, so that it is valid though the model does worse with it than with the activation
ablated. `trained`: every other SAE, those of other projects included.
"""


class BaselineSae(SaeSettings):
    """Base of the settings of every SAE that trains nothing."""

    def n_latents(self, d_in: int) -> int:
        """Latents, at least roughly: memory and disk are estimated from it."""
        return 2 * d_in

    def misfits(self, d_in: int) -> Iterator[str]:
        """Yield what is wrong with the settings for this width, without full stops."""
        yield from ()


class IdentitySae(BaselineSae):
    """A baseline: passes activations through, as x = relu(x) - relu(-x). The ceiling."""

    architecture: Literal["identity"] = "identity"


class PcaSae(BaselineSae):
    """A baseline: the projection on the leading principal components."""

    architecture: Literal["pca"] = "pca"
    n_components: Count = 16
    """Components kept; each becomes two latents, for its two signs, so L0 is n_components."""
    n_fit_tokens: Count = 200_000
    """Tokens the components are estimated from."""

    @override
    def n_latents(self, d_in: int) -> int:
        return 2 * self.n_components

    @override
    def misfits(self, d_in: int) -> Iterator[str]:
        if self.n_components > d_in:
            yield f"sae.n_components is {self.n_components}; it must be at most d_in={d_in}"


class RandomSae(BaselineSae):
    """A control: a frozen random decoder, its transpose as the encoder, and TopK."""

    architecture: Literal["random"] = "random"
    d_sae: Count = 1024
    """Latents."""
    k: Count = 16
    """Active latents per row."""
    n_fit_tokens: Count = 50_000
    """Tokens the decoder's bias and one common scale are estimated from."""

    @override
    def n_latents(self, d_in: int) -> int:
        return self.d_sae


class OracleSae(BaselineSae):
    """A ceiling: the SAE whose latents are a world's true features, or probes for its values."""

    architecture: Literal["oracle"] = "oracle"
    factors: str = "synthetic"
    """The world. With generated activations `synthetic`, `synthetic_tree`, or a folder that
    SAELens's `SyntheticModel.save` wrote, whose width is `activations.d_in`: latents are its true
    features. With a model's, a factor dataset of prompts, such as `tinyworld`: latents are linear
    probes for its values, made on the training templates."""
    factors_seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Seed of the world, as `seed` of the evals on it."""
    n_fit_tokens: Count = 50_000
    """Tokens of running text that the decoder of probes is fit on."""

    @property
    @override
    def factor_dataset(self) -> str:
        return self.factors


class PermutedSae(BaselineSae):
    """A control: another SAE with the rows of its decoder permuted."""

    architecture: Literal["permuted"] = "permuted"
    of: str = "custom_sae"
    """The other SAE: a config's name or path, or an SAE's folder or file."""

    @property
    @override
    def other_sae(self) -> str:
        return self.of


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """A row of the table."""

    settings: type[BaselineSae]

    kind: SaeKind

    build: str
    """`module:function`, imported when the SAE is made: it takes a `saes.baselines.BuildInputs` of
    the settings and returns the SAE."""

    mark: str
    """matplotlib's marker, in SAE-Bench's own plots."""

    colour: str


BASELINES: Mapping[str, Baseline] = {
    "identity": Baseline(
        settings=IdentitySae,
        kind="ceiling",
        build="csae_bench.saes.baselines:build_identity",
        mark="+",
        colour="black",
    ),
    "pca": Baseline(
        settings=PcaSae,
        kind="yardstick",
        build="csae_bench.saes.baselines:build_pca",
        mark="h",
        colour="gray",
    ),
    "random": Baseline(
        settings=RandomSae,
        kind="control",
        build="csae_bench.saes.baselines:build_random",
        mark="v",
        colour="silver",
    ),
    "oracle": Baseline(
        settings=OracleSae,
        kind="ceiling",
        build="csae_bench.factors.oracle:build_oracle",
        mark="x",
        colour="black",
    ),
    "permuted": Baseline(
        settings=PermutedSae,
        kind="control",
        build="csae_bench.saes.baselines:build_permuted",
        mark="<",
        colour="silver",
    ),
}
"""Architecture -> its row."""


def kind_of(architecture: object) -> SaeKind:
    """Return the kind of an architecture; `trained` if the table has none of this name."""
    row = _row(architecture)
    return "trained" if row is None else row.kind


def other_sae_of(settings: object) -> Any:
    """Return the `other_sae` of settings as read from a file, of whatever type."""
    if not isinstance(settings, dict):
        return None
    raw = cast(dict[Any, Any], settings)
    row = _row(raw.get("architecture"))
    if row is None:
        return None
    known = {name: raw[name] for name in row.settings.model_fields if name in raw}
    return row.settings.model_construct(**known).other_sae


def _row(architecture: object) -> Baseline | None:
    return BASELINES.get(architecture) if isinstance(architecture, str) else None
