"""SAE-Bench's sparse_probing on an SAE, a model and text classes that are objects.

`run_eval_single_sae` runs untouched, without its cache, which goes by dataset, model and hook
alone: each SAE is judged as the first one of a session, so that no score depends on what was judged
before. The model reads each text once for all SAEs, see `cut_passes`.
"""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from sae_bench.evals.sparse_probing import main as sparse_probing
from sae_bench.evals.sparse_probing.eval_config import SparseProbingEvalConfig
from sae_bench.evals.sparse_probing.eval_output import (
    SparseProbingLlmMetrics,
    SparseProbingSaeMetrics,
)
from sae_bench.sae_bench_utils import activation_collection, general_utils
from torch import Tensor
from transformer_lens import HookedTransformer

from csae_bench.activations.shared import SharedPasses
from csae_bench.engines.classes.drawing import ClassTexts
from csae_bench.engines.sparse_probing.reporting import ProbeAccuracies
from csae_bench.saes import attributes
from csae_bench.saes.attributes import AnySae
from csae_bench.support import progress
from csae_bench.upstream.adapting import formatted_copy
from csae_bench.upstream.class_data import (
    check_at_most_d_sae,
    check_context,
    check_model_and_sae,
    sae_bench_reads,
)
from csae_bench.upstream.class_probes import (
    Rows,
    Schedule,
    held_out_probe,
    is_right,
    rows_of,
    top_k_accuracy,
)
from csae_bench.upstream.cut_passes import Encoder
from csae_bench.upstream.unlearning_isolation import replaced

NAME = "sparse_probing"
DENSE = Schedule(batch_size=250, epochs=100, lr=1e-2)
"""SAE-Bench's."""

PooledTexts = dict[str, Tensor]
"""For each class a row for each text."""


@dataclass(frozen=True, kw_only=True)
class SparseProbingSettings:
    """Arguments of SAE-Bench's sparse_probing, by its own names."""

    model_name: str
    """The model's true name, for the record."""
    hook_name: str
    dataset_names: tuple[str, ...]
    probe_train_set_size: int
    probe_test_set_size: int
    context_length: int
    sae_batch_size: int
    llm_batch_size: int
    k_values: tuple[int, ...]
    lower_vram_usage: bool
    random_seed: int


@dataclass(frozen=True, kw_only=True)
class SparseProbingOutcome:
    """SAE-Bench's values, untouched, and the corrected ones."""

    metrics: dict[str, dict[str, float | None]]
    """By category, means over datasets; None for probes that were not asked for."""
    by_dataset: dict[str, dict[str, float]]
    """`<dataset>_results` -> metric -> value."""
    by_class: dict[str, Any]
    """`<dataset>_results` -> metric -> class -> accuracy."""
    corrected: dict[str, ProbeAccuracies]
    """By dataset."""
    eval_config: dict[str, Any]
    """SAE-Bench's SparseProbingEvalConfig."""
    warnings: list[str]


def run_sparse_probing(
    sae: AnySae,
    model: HookedTransformer,
    texts: Mapping[str, ClassTexts],
    settings: SparseProbingSettings,
    shared: SharedPasses | None = None,
) -> SparseProbingOutcome:
    """Evaluate `sae`, which is not changed, at the model's dtype and on the model's device.

    Args:
        texts: the datasets that are here; any other is read from the hub by its name.
        shared: holds the model's activations for other SAEs.

    Raises:
        ModelError: the model has no tokenizer.
        SaeError: the model has no such hook, or one of another width.
        ConfigError: a k is larger than d_sae, or the context longer than the model's.
    """
    check_model_and_sae(sae, model, settings.hook_name)
    check_at_most_d_sae(NAME, "k_values", settings.k_values, attributes.d_sae(sae))
    check_context(NAME, settings.context_length, model)
    config = _config(model, settings)
    own_sae = formatted_copy(sae, model, settings.model_name, settings.hook_name)
    kept = shared or SharedPasses()
    run = _Run(own_sae, settings, kept)
    device = str(model.cfg.device)
    with (
        sae_bench_reads(texts, kept, seed=settings.random_seed) as warnings,
        run.observed(),
        tempfile.TemporaryDirectory(prefix="csae_bench_sparse_probing_") as folder,
    ):
        try:
            results, by_class = sparse_probing.run_eval_single_sae(
                config, own_sae, model, device, folder, save_activations=False
            )
        finally:
            if settings.lower_vram_usage:  # which leaves the model on the CPU where it fails
                model.to(device)
    return SparseProbingOutcome(
        metrics={
            "llm": asdict(SparseProbingLlmMetrics(**_of_side(results, "llm_"))),
            "sae": asdict(SparseProbingSaeMetrics(**_of_side(results, "sae_"))),
        },
        by_dataset={name: value for name, value in results.items() if isinstance(value, dict)},
        by_class=by_class,
        corrected=run.corrected,
        eval_config=asdict(config),
        warnings=warnings,
    )


class _Run:
    """One SAE's pass over the datasets, and what is seen of it."""

    def __init__(self, sae: Any, settings: SparseProbingSettings, shared: SharedPasses) -> None:
        self._settings = settings
        self._shared = shared
        self._encoder = Encoder(sae)
        self._of_model: list[PooledTexts] = []
        self._of_sae: list[PooledTexts] = []
        self.corrected: dict[str, ProbeAccuracies] = {}

    @contextlib.contextmanager
    def observed(self) -> Generator[None, None, None]:
        """Let SAE-Bench's functions pool in our way, and report what they pool, within."""
        mean_acts = activation_collection.create_meaned_model_activations
        of_dataset = sparse_probing.run_eval_single_dataset
        n_datasets = len(self._settings.dataset_names)

        def pooled_acts(acts: Any) -> PooledTexts:
            self._of_model.append(mean_acts(acts))
            return self._of_model[-1]

        def pooled_codes(acts: Any, _sae: Any, batch_size: int) -> PooledTexts:
            self._of_sae.append(self._encoder.mean_codes(acts, batch_size))
            return dict(self._of_sae[-1])  # lower_vram_usage moves its entries

        with (
            replaced(
                activation_collection,
                create_meaned_model_activations=pooled_acts,
                get_sae_meaned_activations=pooled_codes,
            ),
            progress.counted("evaluating sparse_probing", n_datasets) as counter,
        ):

            def and_corrected(name: str, *arguments: Any) -> Any:
                result = of_dataset(name, *arguments)
                self.corrected[name] = self._corrected(name)
                self._of_model.clear()
                self._of_sae.clear()
                counter.advance()
                return result

            with replaced(sparse_probing, run_eval_single_dataset=and_corrected):
                yield

    def _corrected(self, name: str) -> ProbeAccuracies:
        (train, test), (sae_train, sae_test) = self._of_model, self._of_sae
        sizes = tuple({c: len(x) for c, x in part.items()} for part in (train, test))
        of_model = tuple(torch.cat(list(part.values())).float() for part in (train, test))
        of_sae = tuple(torch.cat(list(part.values())).float() for part in (sae_train, sae_test))
        digest = hashlib.blake2b(digest_size=16)
        for rows in of_model:
            digest.update(rows.cpu().numpy().tobytes())
        key = (
            "corrected probes", name, tuple(train), digest.digest(),
            self._settings.k_values, self._settings.random_seed,
        )  # fmt: skip
        by_probe = {
            **self._shared.get_or_make(key, lambda: self._probes("llm", name, sizes, of_model)),
            **self._probes("sae", name, sizes, of_sae),
        }
        n_test = len(self._rows(name, sizes, next(iter(train)))[1].ids)
        return ProbeAccuracies(by_probe=by_probe, classes=tuple(train), n_test=n_test)

    def _probes(
        self, side: str, name: str, sizes: tuple[dict[str, int], ...], x: tuple[Tensor, ...]
    ) -> dict[str, np.ndarray[Any, Any]]:
        """Return the accuracies of each probe on the model's activations or the codes, by class."""
        settings = self._settings
        by_probe: dict[str, list[float]] = {}
        for class_name in sizes[0]:
            fit, score = (
                (of_use[rows.ids], rows.labels)
                for of_use, rows in zip(x, self._rows(name, sizes, class_name), strict=True)
            )
            accuracies = _accuracies(
                side, fit, score, settings.k_values, f"{name}/{class_name}", settings.random_seed,
                dense=not (side == "sae" and settings.lower_vram_usage),
            )  # fmt: skip
            for probe, accuracy in accuracies.items():
                by_probe.setdefault(probe, []).append(accuracy)
        return {probe: np.array(values) for probe, values in by_probe.items()}

    def _rows(self, name: str, sizes: tuple[dict[str, int], ...], class_name: str) -> list[Rows]:
        """Return the rows to fit a class's probe on, and those to test it on."""
        seed = self._settings.random_seed
        return [
            rows_of(of_use, class_name, f"{name}/{use}", seed)
            for use, of_use in zip(("train", "test"), sizes, strict=True)
        ]


def _accuracies(
    side: str,
    fit: tuple[Tensor, Tensor],
    score: tuple[Tensor, Tensor],
    ks: Sequence[int],
    place: str,
    seed: int,
    *,
    dense: bool,
) -> dict[str, float]:
    accuracies = {f"{side}_top_{k}": top_k_accuracy(fit, score, k) for k in ks}
    if dense:
        probe = held_out_probe(*fit, DENSE, f"{place}/{side}", seed)
        accuracies[side] = float(is_right(probe, *score).float().mean())
    return accuracies


def _of_side(results: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {
        name: value
        for name, value in results.items()
        if name.startswith(prefix) and not isinstance(value, dict)
    }


def _config(model: HookedTransformer, settings: SparseProbingSettings) -> SparseProbingEvalConfig:
    return SparseProbingEvalConfig(
        random_seed=settings.random_seed,
        dataset_names=list(settings.dataset_names),
        probe_train_set_size=settings.probe_train_set_size,
        probe_test_set_size=settings.probe_test_set_size,
        context_length=settings.context_length,
        sae_batch_size=settings.sae_batch_size,
        llm_batch_size=settings.llm_batch_size,
        llm_dtype=general_utils.dtype_to_str(model.cfg.dtype),
        model_name=settings.model_name,
        k_values=list(settings.k_values),
        lower_vram_usage=settings.lower_vram_usage,
    )
