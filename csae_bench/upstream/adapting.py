"""A module that is no SAE of SAELens, with the attributes that SAE-Bench reads."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import torch
from sae_bench.sae_bench_utils import general_utils
from sae_lens.constants import DTYPE_TO_STR
from sae_lens.saes.sae import SAE, SAEMetadata
from torch import Tensor, nn
from typing_extensions import override

from csae_bench.saes import attributes
from csae_bench.saes.attributes import AnySae

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer


@dataclass
class AdaptedConfig:
    """Config fields that SAE-Bench and SAELens's activations store read; SAE-Bench adds its own."""

    d_in: int
    d_sae: int
    architecture: str
    dtype: str
    device: str
    normalize_activations: str = "none"
    """Whatever the module does to its input, it does itself."""
    metadata: SAEMetadata = field(default_factory=SAEMetadata)


class AdaptedSae(nn.Module):
    """A copy of the module behind that configuration; what else is asked for is the module's."""

    def __init__(self, sae: AnySae) -> None:
        super().__init__()
        own: Any = copy.deepcopy(sae)
        # in __dict__ where it is no module, so that __getattr__ below finds either
        self.inner: Any = own
        self.hook_z_reshaping_mode = False
        self.cfg = AdaptedConfig(
            d_in=attributes.d_in(own),
            d_sae=attributes.d_sae(own),
            architecture=attributes.architecture(own),
            dtype=DTYPE_TO_STR[attributes.dtype(own)],
            device=str(attributes.device(own)),
            metadata=SAEMetadata(
                **{
                    name: attributes.metadata(own, name)
                    for name in ("model_name", "hook_name", "prepend_bos")
                    if attributes.metadata(own, name) is not None
                }
            ),
        )

    @classmethod
    def of(cls, sae: AnySae) -> SAE[Any] | AdaptedSae:
        """Return an SAE of SAELens as it is, and any other one adapted."""
        return sae if isinstance(sae, SAE) else cls(sae)

    @property
    def device(self) -> torch.device:
        """Device of its weights."""
        return attributes.device(self.inner)

    @property
    def dtype(self) -> torch.dtype:
        """The type of its weights."""
        return attributes.dtype(self.inner)

    def encode(self, x: Tensor) -> Tensor:
        """Encode activations."""
        return attributes.encode(self.inner, x)

    def decode(self, feature_acts: Tensor) -> Tensor:
        """Decode codes."""
        return self.inner.decode(feature_acts)

    @override
    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))

    def turn_on_forward_pass_hook_z_reshaping(self) -> None:
        """Do nothing: the module takes activations as the hook gives them."""

    def turn_off_forward_pass_hook_z_reshaping(self) -> None:
        """Do nothing either."""

    @override
    def to(self, *args: Any, **kwargs: Any) -> AdaptedSae:
        # the module's own `to`, not nn.Module's, which would leave its `dtype` behind
        if isinstance(self.inner, nn.Module):
            self.inner = self.inner.to(*args, **kwargs)
        self.cfg.dtype, self.cfg.device = DTYPE_TO_STR[self.dtype], str(self.device)
        return self

    @override
    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == "inner":
                raise
            return getattr(self.inner, name)


def formatted_copy(
    sae: AnySae, model: HookedTransformer, model_name: str, hook_name: str
) -> SAE[Any]:
    """Return a copy with what SAE-Bench reads from an SAE's config, at the model's dtype."""
    own = adapted_copy(sae)
    metadata = own.cfg.metadata
    known: dict[str, Any] = {"model_name": model_name, "hook_name": hook_name}
    if metadata.prepend_bos is None:
        known["prepend_bos"] = True
    for name, value in known.items():
        metadata[name] = value
        if hasattr(own.cfg, name):  # where SAE-Bench has formatted this SAE before
            setattr(own.cfg, name, value)
    device = str(model.cfg.device)
    formatted = general_utils.load_and_format_sae("", own, device)
    assert formatted is not None
    return formatted[1].to(device=device, dtype=model.cfg.dtype)


def adapted_copy(sae: AnySae) -> SAE[Any]:
    """Return a copy of an SAE of SAELens, and any other one adapted."""
    if not isinstance(sae, SAE):
        return cast(SAE[Any], AdaptedSae(sae))
    own = copy.deepcopy(sae)
    # These hold closures over the SAE they were made for, which is not the copy.
    own._setup_activation_normalization()  # pyright: ignore[reportPrivateUsage]
    return own
