"""Base of every settings block: strictness, and names for common ranges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from csae_bench.support.strict import Strict

Fraction = Annotated[float, Field(gt=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Dtype = Literal["float32", "bfloat16", "float16"]


class Settings(Strict):
    """Base of every settings block: frozen, and an unknown key is an error."""


class SaeSettings(Settings):
    """Base of the settings of every SAE, trained or not."""

    if TYPE_CHECKING:
        architecture: Any
        """The name that tells the classes apart; each has it as its own Literal."""

    @property
    def other_sae(self) -> str | None:
        """The SAE that this one is made of, which a field `of` names; None: it needs no other."""
        return None

    @property
    def factor_dataset(self) -> str | None:
        """The factor dataset whose true features this SAE is made of; None: it needs none."""
        return None
