"""SAE-Bench's RAVEL eval on an SAE and a model that are objects, and on tables of any folder.

Huang et al. 2024, arXiv:2402.17700. SAE-Bench's functions run unmodified; what the model knows is
found once for all SAEs, and pairs are seen on their way so that they can be counted as drawn.
"""

from __future__ import annotations

import json
import math
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from sae_bench.evals.ravel import intervention
from sae_bench.evals.ravel import main as ravel_main
from sae_bench.evals.ravel.eval_config import RAVELEvalConfig
from sae_bench.evals.ravel.instance import RAVELInstance, get_instance_name
from transformer_lens import HookedTransformer

from csae_bench.activations.shared import SharedPasses
from csae_bench.engines.ravel.data import EntityTable
from csae_bench.engines.ravel.fields import SCORES
from csae_bench.engines.ravel.results import KnownPrompts, Pair, known_prompts
from csae_bench.engines.unlearning.cache import Cache
from csae_bench.errors import SaeError
from csae_bench.saes import attributes
from csae_bench.saes.attributes import AnySae
from csae_bench.upstream.adapting import formatted_copy
from csae_bench.upstream.isolation import isolated
from csae_bench.upstream.provenance import versions
from csae_bench.upstream.ravel_isolation import WithBos, ravel_sees
from csae_bench.upstream.unlearning_isolation import replaced

ENGINE_VERSION = 1
"""Raised by a change of this package after which what a model knows may differ."""

GENERATION_FACTOR = 8
"""SAE-Bench asks for facts in batches that are larger by it."""

_HOOK = re.compile(r"blocks\.(\d+)\.hook_resid_post")


@dataclass(frozen=True, kw_only=True)
class RavelSettings:
    """Settings of SAE-Bench's RAVEL eval, by its names, and of what it is run on."""

    config: RAVELEvalConfig
    """`artifact_dir` is replaced by a folder of the run's own."""
    model_fingerprint: str
    hook_name: str
    min_entities: int
    device: str


@dataclass(frozen=True, kw_only=True, eq=False)
class RavelOutcome:
    """SAE-Bench's values, untouched, and the pairs that they are of."""

    scores: dict[str, float]
    """By SAE-Bench's names; NaN where the model knows too little."""
    by_class: dict[str, Any]
    """What SAE-Bench has as eval_result_unstructured."""
    undefined: str | None
    """Why the model knows too little; None where it knows enough."""
    pairs: tuple[Pair, ...]
    n_pairs_dropped: int
    known: tuple[KnownPrompts, ...]
    eval_config: dict[str, Any]
    warnings: list[str] = field(default_factory=list[str])


def ravel_config(**values: Any) -> RAVELEvalConfig:
    """Return SAE-Bench's settings, its defaults where none is given."""
    return RAVELEvalConfig(**values)


def run_ravel(
    sae: AnySae,
    hooked: HookedTransformer,
    model: Any,
    tables: Sequence[EntityTable],
    settings: RavelSettings,
    cache: Path | None = None,
    shared: SharedPasses | None = None,
) -> RavelOutcome:
    """Evaluate `sae`, which is not changed, at the model's dtype and on the model's device.

    Args:
        hooked: the model that the SAE is of.
        model: transformers' form of it.
        cache: a folder in which what the model knows is kept by content, for later runs.
        shared: holds that and source prompts' activations for other SAEs.

    Raises:
        SaeError: the SAE is not of a blocks.L.hook_resid_post of the model.
    """
    _check(sae, hooked, settings)
    kept = shared or SharedPasses()
    tokenizer = hooked.tokenizer
    with tempfile.TemporaryDirectory(prefix="csae-bench-") as name:
        folder = Path(name)
        config = replace(settings.config, artifact_dir=name)
        known: list[KnownPrompts] = []
        for table in tables:
            facts = _facts(model, tokenizer, table, settings, cache, kept)
            known.append(_written(facts, table, config, folder))
        problems = [each.problem(settings.min_entities) for each in known]
        undefined = next((problem for problem in problems if problem), None)
        undefined = undefined or _no_batch(known, config)
        watch, warnings = _Watched(tables), list[str]()
        scores: dict[str, float] = dict.fromkeys(SCORES, math.nan)
        by_class: dict[str, Any] = {}
        if undefined is None:
            with isolated():
                own = formatted_copy(sae, hooked, config.model_name, settings.hook_name)
            with (
                ravel_sees(tokenizer, seed=config.random_seed, shared=kept) as warnings,
                watch.within(),
            ):
                measured: Any
                measured, by_class = ravel_main.run_eval_single_sae(
                    config, own, model, settings.device, name
                )
            scores = {each: float(measured[_UPSTREAM[each]]) for each in SCORES}
    return RavelOutcome(
        scores=scores,
        by_class=by_class,
        undefined=undefined,
        pairs=tuple(watch.pairs),
        n_pairs_dropped=watch.n_dropped,
        known=tuple(known),
        eval_config=asdict(settings.config),
        warnings=list(dict.fromkeys(f"SAE-Bench: {text.splitlines()[0]}" for text in warnings)),
    )


_UPSTREAM = {
    "disentanglement_score": "disentangle_score",
    "cause_score": "cause_score",
    "isolation_score": "isolation_score",
}


def _facts(
    model: Any,
    tokenizer: Any,
    table: EntityTable,
    settings: RavelSettings,
    cache: Path | None,
    kept: SharedPasses,
) -> dict[str, Any]:
    """Return SAE-Bench's filtered dataset of one class: prompts that the model answers right."""
    config = settings.config
    key = {
        "model": settings.model_fingerprint,
        "dtype": str(model.dtype),
        "device": settings.device,
        "table": table.fingerprint,
        "attributes": list(config.entity_attribute_selection[table.entity]),
        "top_n_entities": config.top_n_entities,
        "downsample": config.full_dataset_downsample,
        "n_generated_tokens": config.n_generated_tokens,
        "llm_batch_size": config.llm_batch_size,
        # it draws only where prompts are left out
        "seed": config.random_seed if config.full_dataset_downsample else None,
        "versions": versions(),
        "engine": ENGINE_VERSION,
    }

    def ask() -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="csae-bench-") as folder:
            table.write(Path(folder) / "base")
            asked = replace(
                config,
                artifact_dir=folder,
                llm_batch_size=GENERATION_FACTOR * config.llm_batch_size,
            )
            with ravel_sees(tokenizer, seed=config.random_seed):
                every = RAVELInstance.create_from_files(
                    config=asked,
                    entity_type=table.entity,
                    tokenizer=WithBos(tokenizer),  # pyright: ignore[reportArgumentType]
                    data_dir=folder,
                    model=model,
                    model_name=config.model_name,
                    attribute_types=config.entity_attribute_selection[table.entity],
                    downsample=config.full_dataset_downsample,
                )
                filtered = every.create_and_save_filtered_dataset(folder, config.top_n_entities)
        return {
            "prompts": [vars(prompt) for prompt in filtered.prompts],
            "config": filtered.config,
        }

    return kept.get_or_make(
        ("ravel facts", id(model), json.dumps(key, sort_keys=True)),
        lambda: Cache(cache).get_or_make("facts", key, ask),
    )


def _written(
    facts: Mapping[str, Any], table: EntityTable, config: RAVELEvalConfig, folder: Path
) -> KnownPrompts:
    """Write the file that SAE-Bench takes for its own, and count what is in it."""
    name = get_instance_name(
        table.entity, config.model_name, config.full_dataset_downsample, config.top_n_entities
    )
    (folder / name).write_text(json.dumps(facts), encoding="utf-8")
    chosen = config.entity_attribute_selection[table.entity]
    entities = table.parts["entity_attributes"]
    templates = table.parts["attribute_to_prompts"]
    n_asked = len(entities) * sum(len(templates[attribute]) for attribute in chosen)
    return known_prompts(
        table.entity,
        facts["prompts"],
        n_asked=min(n_asked, config.full_dataset_downsample or n_asked),
        n_entities=len(entities),
        attributes=chosen,
    )


def _no_batch(known: Sequence[KnownPrompts], config: RAVELEvalConfig) -> str | None:
    """Return why SAE-Bench would have no full batch to train on or to test; None where it has."""
    for each in known:
        for attribute, n_prompts in each.prompts_by_attribute.items():
            n_pairs = 2 * min(n_prompts, config.num_pairs_per_attribute)
            n_train = int(n_pairs * config.train_test_split)
            if min(n_train, n_pairs - n_train) < config.llm_batch_size:
                return (
                    f"{n_pairs} pairs of {each.entity}, {attribute}, of which "
                    f"{n_pairs - n_train} are for testing, do not fill a batch of "
                    f"{config.llm_batch_size} (llm_batch_size)"
                )
    return None


class _Watched:
    """Sees the pairs that SAE-Bench makes and tests."""

    def __init__(self, tables: Sequence[EntityTable]) -> None:
        self.pairs: list[Pair] = []
        self.n_dropped = 0
        self._labels = {table.entity: table.parts["entity_attributes"] for table in tables}
        self._base: dict[str, tuple[str, str]] = {}
        self._attribute = ""
        self._run = ravel_main.run_eval_single_cause_attribute
        self._load = ravel_main.create_dataloader_from_pairs
        self._judge = intervention.evaluate_completion

    def within(self) -> Any:
        """Replace SAE-Bench's functions within a context."""
        from contextlib import ExitStack

        stack = ExitStack()
        stack.enter_context(
            replaced(
                ravel_main,
                run_eval_single_cause_attribute=self._running,
                create_dataloader_from_pairs=self._loading,
            )
        )
        stack.enter_context(replaced(intervention, evaluate_completion=self._judging))
        return stack

    def _running(self, dataset: Any, cause_attribute: str, *args: Any) -> Any:
        self._attribute = cause_attribute
        self._base = {
            prompt.text: (prompt.entity_label, prompt.attribute_label) for prompt in dataset
        }
        return self._run(dataset, cause_attribute, *args)

    def _loading(self, formatted_pairs: Any, model: Any, eval_config: Any) -> Any:
        self.n_dropped += len(formatted_pairs) % eval_config.llm_batch_size
        return self._load(formatted_pairs, model, eval_config)

    def _judging(self, text: str, label: str, completion: str) -> bool:
        is_right = bool(self._judge(text, label, completion))
        entity, own_label = self._base[text]
        self.pairs.append(Pair(entity, self._attribute, label != own_label, is_right))
        return is_right


def _check(sae: AnySae, hooked: HookedTransformer, settings: RavelSettings) -> None:
    name, hook_name = settings.config.model_name, settings.hook_name
    if _HOOK.fullmatch(hook_name) is None or hook_name not in hooked.hook_dict:
        raise SaeError(
            f"The SAE's hook_name is '{hook_name}'; ravel intervenes in the residual stream after "
            "a layer, whatever the SAE was trained on, so it judges SAEs at "
            f"blocks.0.hook_resid_post to blocks.{hooked.cfg.n_layers - 1}.hook_resid_post of "
            f"{name} only."
        )
    if attributes.d_in(sae) != hooked.cfg.d_model:
        raise SaeError(
            f"The SAE's d_in is {attributes.d_in(sae)}; {hook_name} of {name} is "
            f"{hooked.cfg.d_model} wide."
        )
