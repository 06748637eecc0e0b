"""SAE-Bench's tpp and scr on an SAE, a model and text classes that are objects.

`run_eval_single_sae` runs untouched, without its cache, which goes by dataset, model and hook
alone: each SAE is judged as the first one of a session. Texts are read once for all SAEs, and
encoded and decoded once for all ablations, see `cut_passes` and `engines.perturbation.ablation`.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Generator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sae_bench.evals.scr_and_tpp import main as scr_and_tpp
from sae_bench.evals.scr_and_tpp.eval_config import ScrAndTppEvalConfig
from sae_bench.evals.scr_and_tpp.eval_output import ScrMetrics, TppMetrics
from sae_bench.evals.sparse_probing import probe_training
from sae_bench.sae_bench_utils import general_utils
from transformer_lens import HookedTransformer

from csae_bench.activations.shared import SharedPasses
from csae_bench.engines.classes.drawing import ClassTexts, PairedTexts
from csae_bench.engines.perturbation.scores import TppTexts
from csae_bench.engines.perturbation.settings import PerturbationSettings
from csae_bench.errors import SaeError
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
from csae_bench.upstream.class_probes import Schedule
from csae_bench.upstream.perturbation_control import (
    DatasetActs,
    PairTexts,
    scr_texts,
    tpp_texts,
)
from csae_bench.upstream.perturbation_steps import FastSteps, remembered_probes
from csae_bench.upstream.unlearning_isolation import replaced

_FORGOTTEN_BY_DECODING = ("layer_norm", "constant_norm_rescale")


@dataclass(frozen=True, kw_only=True)
class PerturbationOutcome:
    """SAE-Bench's values, untouched, and what corrected ones are made of."""

    metrics: dict[str, float | None]
    """Means over datasets; None for numbers of latents that were not asked for, and for scr where
    the directions tie."""
    by_dataset: dict[str, dict[str, float]]
    """`<dataset>_tpp_results` or `<dataset>_scr_<first>_<second>_results` -> metric -> value."""
    by_class: dict[str, Any]
    """Dataset -> class -> metric -> value, of tpp."""
    tpp: dict[str, TppTexts]
    """By dataset; empty where the SAE's decoder is not affine."""
    scr: dict[str, PairTexts]
    """By pair, named as in `by_dataset`; empty likewise."""
    is_affine: bool
    """Whether ablating latents takes their directions off, as the corrected values have it."""
    eval_config: dict[str, Any]
    """SAE-Bench's ScrAndTppEvalConfig."""
    warnings: list[str]


def run_perturbation(
    sae: AnySae,
    model: HookedTransformer,
    texts: Mapping[str, ClassTexts] | Mapping[str, PairedTexts],
    settings: PerturbationSettings,
    shared: SharedPasses | None = None,
) -> PerturbationOutcome:
    """Evaluate `sae`, which is not changed, at the model's dtype and on the model's device.

    Args:
        texts: the datasets that are here; any other is read from the hub by its name.
        shared: holds the model's activations and its probes for other SAEs.

    Raises:
        ModelError: the model has no tokenizer.
        SaeError: the model has no such hook, or one of another width, or the SAE scales by the
            norm of its input.
        ConfigError: more latents are ablated than there are, or the context is too long.
    """
    _check(sae, model, settings)
    config = _config(model, settings, texts)
    own_sae = formatted_copy(sae, model, settings.model_name, settings.hook_name)
    kept, device = shared or SharedPasses(), str(model.cfg.device)
    run = _Run(own_sae, settings, kept)
    with (
        sae_bench_reads(texts, kept, seed=settings.random_seed) as warnings,
        run.observed(sum(map(len, config.column1_vals_lookup.values()))),
        tempfile.TemporaryDirectory(prefix=f"csae_bench_{settings.eval_name}_") as folder,
    ):
        try:
            results, by_class = scr_and_tpp.run_eval_single_sae(
                config, own_sae, model, device, folder, save_activations=False
            )
        finally:
            if settings.lower_vram_usage:  # which leaves the model on the CPU where it fails
                model.to(device)
    means: dict[str, Any] = {k: v for k, v in results.items() if not isinstance(v, dict)}
    return PerturbationOutcome(
        metrics=asdict((ScrMetrics if settings.performs_scr else TppMetrics)(**means)),
        by_dataset={name: value for name, value in results.items() if isinstance(value, dict)},
        by_class=by_class,
        tpp=run.tpp,
        scr=run.scr,
        is_affine=run.is_affine,
        eval_config=json.loads(json.dumps(asdict(config))),  # its schema has lists for its tuples
        warnings=warnings,
    )


class _Run:
    """One SAE's pass over the datasets, and what is seen of it."""

    def __init__(self, sae: Any, settings: PerturbationSettings, shared: SharedPasses) -> None:
        self._sae, self._settings, self._shared = sae, settings, shared
        self._steps = FastSteps(sae)
        self._acts: list[DatasetActs] = []
        self.tpp: dict[str, TppTexts] = {}
        self.scr: dict[str, PairTexts] = {}
        self.is_affine = True

    @contextlib.contextmanager
    def observed(self, n_pairs: int) -> Generator[None, None, None]:
        """Let SAE-Bench's functions encode and ablate in our way, within."""
        read, of_dataset = scr_and_tpp.get_dataset_activations, scr_and_tpp.run_eval_single_dataset
        name, performs_scr = self._settings.eval_name, self._settings.performs_scr
        n_parts = n_pairs if performs_scr else len(self._settings.dataset_names)

        def seen(*arguments: Any) -> Any:
            train, test = read(*arguments)
            self._acts.append(DatasetActs(train, test))
            return train, test

        with progress.counted(f"evaluating {name}", n_parts) as counter:

            def and_corrected(dataset: str, *arguments: Any) -> Any:
                result = of_dataset(dataset, *arguments)
                # scr hands the pair of classes over as the last argument
                pair = arguments[-1] if performs_scr else None
                self._correct(dataset, pair)
                self._steps.forget()
                counter.advance()
                return result

            with (
                replaced(
                    scr_and_tpp,
                    get_dataset_activations=seen,
                    run_eval_single_dataset=and_corrected,
                    get_effects_per_class_precomputed_acts=self._steps.effects,
                    ablated_precomputed_activations=self._steps.ablated,
                ),
                replaced(
                    probe_training, train_probe_on_activations=remembered_probes(self._shared)
                ),
            ):
                yield

    def _correct(self, dataset: str, pair: tuple[str, str] | None) -> None:
        settings, acts = self._settings, self._acts.pop()
        pooled = self._steps.pooled(acts, settings.sae_batch_size)
        of_scr = {"n_control": settings.n_control} if pair else {}
        name = dataset if pair is None else f"{dataset}_scr_{pair[0]}_{pair[1]}"
        make: Any = tpp_texts if pair is None else scr_texts
        made = make(
            self._sae, pooled, settings.n_values, _schedule(settings), name,
            settings.random_seed, self._shared, **of_scr,
        )  # fmt: skip
        self.is_affine &= made is not None
        if made is not None:
            into: dict[str, Any] = self.tpp if pair is None else self.scr
            into[name] = made


def _schedule(settings: PerturbationSettings) -> Schedule:
    return Schedule(
        batch_size=settings.probe_train_batch_size,
        epochs=settings.probe_epochs,
        lr=settings.probe_lr,
        patience=settings.early_stopping_patience,
        l1_penalty=settings.probe_l1_penalty,
    )


def _check(sae: AnySae, model: HookedTransformer, settings: PerturbationSettings) -> None:
    check_model_and_sae(sae, model, settings.hook_name)
    name = settings.eval_name
    check_at_most_d_sae(name, "n_values", settings.n_values, attributes.d_sae(sae))
    check_context(name, settings.context_length, model)
    normalization = attributes.normalize_activations(sae)
    if normalization in _FORGOTTEN_BY_DECODING:
        raise SaeError(
            f"The SAE's normalize_activations is '{normalization}'; SAELens forgets the norms of "
            f"its input once it has decoded, and SAE-Bench's {name} decodes twice. Such an SAE has "
            f"no score of {name}."
        )


def _config(
    model: HookedTransformer,
    settings: PerturbationSettings,
    texts: Mapping[str, ClassTexts] | Mapping[str, PairedTexts],
) -> ScrAndTppEvalConfig:
    own_pairs = {
        name: [tuple(pair) for pair in read.first_pairs]
        for name, read in texts.items()
        if isinstance(read, PairedTexts)
    }
    of_hub = ScrAndTppEvalConfig().column1_vals_lookup
    pairs = {name: own_pairs.get(name) or of_hub.get(name, []) for name in settings.dataset_names}
    return ScrAndTppEvalConfig(
        random_seed=settings.random_seed,
        dataset_names=list(settings.dataset_names),
        perform_scr=settings.performs_scr,
        early_stopping_patience=settings.early_stopping_patience,
        train_set_size=settings.train_set_size,
        test_set_size=settings.test_set_size,
        context_length=settings.context_length,
        probe_train_batch_size=settings.probe_train_batch_size,
        probe_epochs=settings.probe_epochs,
        probe_lr=settings.probe_lr,
        probe_l1_penalty=settings.probe_l1_penalty,
        sae_batch_size=settings.sae_batch_size,
        llm_batch_size=settings.llm_batch_size,
        llm_dtype=general_utils.dtype_to_str(model.cfg.dtype),
        lower_vram_usage=settings.lower_vram_usage,
        model_name=settings.model_name,
        n_values=list(settings.n_values),
        column1_vals_lookup=pairs if settings.performs_scr else of_hub,  # pyright: ignore[reportArgumentType]
    )
