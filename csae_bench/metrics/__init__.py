"""How well latents match labelled factors: arrays in, numbers out.

Every metric takes codes [n, d_sae], dense or sparse (numpy, scipy, torch), and labels
[n, n_factors] or a mapping from factor to labels [n], such as a data frame's columns:

    >>> import numpy as np
    >>> from csae_bench import metrics
    >>> topic = np.array(["law", "music", "law", "sports", "music", "sports"])
    >>> codes = np.stack([topic == "law", topic == "music"], axis=1) * 1.5
    >>> round(metrics.value_mig(codes, {"topic": topic}).value, 3)
    0.758
    >>> metrics.value_mig(codes, {"topic": topic}).best_latents["topic"]
    {'law': 0, 'music': 1, 'sports': 0}

Metrics are undefined (None, with a reason) rather than 0 where they make no sense.
"""

from csae_bench.metrics.absorption import absorption
from csae_bench.metrics.correlation import factor_correlations, mean_correlation_coefficient
from csae_bench.metrics.correlation_statistics import correlation_interval, correlation_null
from csae_bench.metrics.data import Codes, Factors
from csae_bench.metrics.dci import dci_completeness, dci_disentanglement, dci_from_probes
from csae_bench.metrics.errors import MetricInputError
from csae_bench.metrics.eta_squared import eta_squared
from csae_bench.metrics.explicitness import explicitness
from csae_bench.metrics.factor_vae import factor_vae, factor_vae_population, mean_margin
from csae_bench.metrics.factor_vae_nulls import factor_vae_null, factor_vae_population_null
from csae_bench.metrics.inputs import CodesLike, FactorsLike, LabelsLike
from csae_bench.metrics.intervals import factor_vae_population_interval, mig_intervals
from csae_bench.metrics.mig import binning_sensitivity, mig, mig_sup, value_mig
from csae_bench.metrics.modularity import modularity
from csae_bench.metrics.monosemanticity import monosemanticity
from csae_bench.metrics.nulls import permutation_null
from csae_bench.metrics.redundancy import redundancy
from csae_bench.metrics.sap import sap
from csae_bench.metrics.score import Score
from csae_bench.metrics.splits import held_out_mig, held_out_value_mig, split_clusters
from csae_bench.metrics.summary import all_metrics

__all__ = [
    "Codes",
    "CodesLike",
    "Factors",
    "FactorsLike",
    "LabelsLike",
    "MetricInputError",
    "Score",
    "absorption",
    "all_metrics",
    "binning_sensitivity",
    "correlation_interval",
    "correlation_null",
    "dci_completeness",
    "dci_disentanglement",
    "dci_from_probes",
    "eta_squared",
    "explicitness",
    "factor_correlations",
    "factor_vae",
    "factor_vae_null",
    "factor_vae_population",
    "factor_vae_population_interval",
    "factor_vae_population_null",
    "held_out_mig",
    "held_out_value_mig",
    "mean_correlation_coefficient",
    "mean_margin",
    "mig",
    "mig_intervals",
    "mig_sup",
    "modularity",
    "monosemanticity",
    "permutation_null",
    "redundancy",
    "sap",
    "split_clusters",
    "value_mig",
]
