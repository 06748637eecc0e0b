"""The metrics at the size of a 16k SAE: 10,000 samples x 16,384 latents x 10 factors of 4 values.

About 80 latents are active per sample, at firing rates that spread like an SAE's, with lognormal
magnitudes; every factor value has a latent of its own. mig_seconds is MIG, value MIG and MIG-sup
with sensitivity, held-out scores and bootstrap intervals; factor_vae_seconds both forms, the
population form with its null; permutation_seconds 200 permutations for all factors.
mig_speedup_vs_sklearn sets the three MIGs alone against scikit-learn's mutual_info_score in a
double loop over latents and factors, timed on a sample of pairs and scaled. Ratios are to a fixed
calculation on the same codes, timed before and after: ten times their order by latent and value,
and the counts of each latent with each factor value. The peak memory is that of this process before
scikit-learn's turn, libraries included.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from scipy import sparse

from benchmarks.timing import seconds
from csae_bench.hardware.peak_memory import peak_memory_gib
from csae_bench.metrics.data import Codes, Factors
from csae_bench.metrics.discretise import sparse_bins
from csae_bench.metrics.factor_vae import factor_vae, factor_vae_population
from csae_bench.metrics.intervals import mig_intervals
from csae_bench.metrics.mig import binning_sensitivity, mig, mig_sup, value_mig
from csae_bench.metrics.nulls import permutation_null
from csae_bench.metrics.splits import held_out_mig, held_out_value_mig, split_clusters

FIGURES = (
    "mig_speedup_vs_sklearn",
    "mig_ratio",
    "factor_vae_ratio",
    "permutation_ratio",
    "mig_seconds",
    "factor_vae_seconds",
    "permutation_seconds",
    "metrics_peak_memory",
)
N, D_SAE, N_ACTIVE, N_FACTORS, N_VALUES, N_TEMPLATES = 10_000, 16_384, 80, 10, 4, 20
N_PAIRS = 400


def main() -> None:
    """Print the figures."""
    rng = np.random.default_rng(0)
    factors = rng.integers(N_VALUES, size=(N, N_FACTORS))
    codes = _codes(factors, rng)
    templates = rng.integers(N_TEMPLATES, size=N)
    print(f"{codes.nnz / N:.1f} latents active per sample", file=sys.stderr)
    before = seconds(lambda: _fixed_calculation(codes, factors))
    bare = seconds(lambda: _migs(Codes.of(codes), Factors.of(factors)))
    times = {
        "mig": seconds(lambda: _mig_with_everything(codes, factors, templates)),
        "factor_vae": seconds(
            lambda: (factor_vae(codes, factors), factor_vae_population(codes, factors))
        ),
        "permutation": seconds(lambda: permutation_null(codes, factors, n_permutations=200)),
    }
    memory = peak_memory_gib("cpu")
    after = seconds(lambda: _fixed_calculation(codes, factors))
    double_loop = _sklearn_seconds(codes, factors, rng)
    print(
        f"bare {bare:.2f} s, scikit-learn {double_loop:.0f} s, fixed calculation {before:.2f} s "
        f"before and {after:.2f} s after",
        file=sys.stderr,
    )
    print(f"BENCH mig_speedup_vs_sklearn {double_loop / bare:.0f} ratio")
    for name, taken in times.items():
        print(f"BENCH {name}_ratio {2 * taken / (before + after):.2f} ratio")
        print(f"BENCH {name}_seconds {taken:.2f} s")
    print(f"BENCH metrics_peak_memory {memory:.2f} GiB")


def _fixed_calculation(codes: Any, factors: Any) -> None:
    one_hot = (factors[:, :, None] == np.arange(N_VALUES)).reshape(N, -1).astype(np.float64)
    entries = codes.tocoo()
    for _ in range(10):
        np.lexsort((entries.data, entries.col))
        _ = codes.T @ one_hot


def _codes(factors: Any, rng: np.random.Generator) -> Any:
    """Return scipy csr_array float32 [N, D_SAE]; the first latents each encode one factor value."""
    detectors = (factors[:, :, None] == np.arange(N_VALUES)).reshape(N, -1)
    rates = rng.lognormal(0, 1.5, D_SAE - detectors.shape[1])
    rates = np.minimum(rates * (N_ACTIVE - N_FACTORS) / rates.sum(), 0.9)
    firing = [rng.choice(N, rng.binomial(N, rate), replace=False) for rate in rates]
    latents = np.repeat(np.arange(len(rates)), [len(samples) for samples in firing])
    ones = np.ones(len(latents), np.float32)
    others = sparse.csr_array((ones, (np.concatenate(firing), latents)), shape=(N, len(rates)))
    codes = sparse.hstack([sparse.csr_array(detectors.astype(np.float32)), others], "csr")
    codes.data *= rng.lognormal(size=codes.nnz).astype(np.float32)
    return codes


def _migs(codes: Codes, factors: Factors) -> None:
    for metric in (mig, value_mig, mig_sup):
        metric(codes, factors)


def _mig_with_everything(codes: Any, factors: Any, templates: Any) -> None:
    codes, factors = Codes.of(codes), Factors.of(factors)
    _migs(codes, factors)
    binning_sensitivity(codes, factors)
    chosen_on = split_clusters(templates)
    held_out_mig(codes, factors, chosen_on)
    held_out_value_mig(codes, factors, chosen_on)
    mig_intervals(codes, factors, templates)


def _sklearn_seconds(codes: Any, factors: Any, rng: np.random.Generator) -> float:
    """Time the double loop over all pairs, from a sample of them; discretising is not counted."""
    from sklearn.metrics import mutual_info_score

    binned = sparse_bins(codes)
    pairs = [(int(rng.integers(D_SAE)), int(rng.integers(N_FACTORS))) for _ in range(N_PAIRS)]
    columns: dict[int, Any] = {}
    for latent, _ in pairs:
        columns[latent] = np.full(N, binned.zero_bin[latent])
        entries = slice(binned.indptr[latent], binned.indptr[latent + 1])
        columns[latent][binned.indices[entries]] = binned.bins[entries]
    of_pairs = seconds(
        lambda: [mutual_info_score(columns[latent], factors[:, k]) for latent, k in pairs]
    )
    return of_pairs / N_PAIRS * D_SAE * N_FACTORS
