"""Factor datasets: prompts, or activations, whose ground-truth factors are known.

`open_factors` finds one by name or path. Each named one is a module of `datasets/`; importing this
imports neither them nor torch. What an SAE makes of a dataset is in `encoding`.
"""

from csae_bench.factors.dataset import (
    POOLINGS,
    FactorDataset,
    FactorSplit,
    Pooling,
    Readout,
    TrueFeatures,
)
from csae_bench.factors.opening import (
    chosen_factors,
    factor_fingerprint,
    factor_status,
    needs_model,
    open_factors,
)
from csae_bench.factors.registry import (
    FactorDatasetSpec,
    factor_names,
    get_factors,
    register_factors,
)

__all__ = [
    "POOLINGS",
    "FactorDataset",
    "FactorDatasetSpec",
    "FactorSplit",
    "Pooling",
    "Readout",
    "TrueFeatures",
    "chosen_factors",
    "factor_fingerprint",
    "factor_names",
    "factor_status",
    "get_factors",
    "needs_model",
    "open_factors",
    "register_factors",
]
