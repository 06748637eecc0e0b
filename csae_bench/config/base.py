"""Base of every settings block: strictness, and names for common ranges."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from csae_bench.support.strict import Strict

Fraction = Annotated[float, Field(gt=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Dtype = Literal["float32", "bfloat16", "float16"]


class Settings(Strict):
    """Base of every settings block: frozen, and an unknown key is an error."""
