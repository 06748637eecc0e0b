"""SAE-Bench's unlearning functions on one SAE, with the engine's answers and nothing done twice."""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray
from sae_bench.evals.unlearning import main as unlearning_main
from sae_bench.evals.unlearning.eval_config import UnlearningEvalConfig
from sae_bench.evals.unlearning.utils import eval as unlearning_eval
from sae_bench.evals.unlearning.utils import feature_activation, metrics
from torch import Tensor
from tqdm.auto import tqdm
from transformer_lens import HookedTransformer

from csae_bench.activations.shared import SharedPasses
from csae_bench.engines.unlearning.cache import Cache
from csae_bench.engines.unlearning.data import FORGET, SUBJECTS, UnlearningData
from csae_bench.engines.unlearning.engine import MEMORY_GIB, AnswerEngine, Clamp
from csae_bench.engines.unlearning.prompts import AskedPrompts
from csae_bench.engines.unlearning.sweep import Setting, Sweep
from csae_bench.errors import DataError, EvalError
from csae_bench.upstream.split_model import remembering
from csae_bench.upstream.unlearning_isolation import replaced

METHOD = "clamp_feature_activation"
TARGET = "correct"
"""The questions asked: those answered right in all orders of their choices."""
PROMPTS_PER_SEQUENCE = 2
"""Questions per batch for each sequence of text per batch, as in SAE-Bench."""

_SAE_NAME = "sae"

Shares = Float[NDArray[np.float64], " d_sae"]


@dataclass(kw_only=True)
class UnlearningRun:
    """SAE-Bench's functions in a folder of their own; call within `sae_bench_sees`."""

    model: HookedTransformer
    sae: Any
    """The SAE as `adapting.formatted_copy` makes it: an SAE of sae_lens, or an `AdaptedSae`."""
    model_name: str
    """The model's true name."""
    config: UnlearningEvalConfig
    folder: Path
    """Empty at the start: SAE-Bench reads whatever lies there."""
    of_model: Cache
    """Questions that the model answers."""
    of_sae: Cache
    """Firing of latents, and the answers under each setting."""
    known_questions: Mapping[str, list[int]] | None = None
    """Rows of the questions that the model answers right, where that is known beforehand."""
    asked: AskedPrompts = field(default_factory=lambda: AskedPrompts(MEMORY_GIB))
    """The model's answers without a clamp, for every SAE on this hook."""
    shared: SharedPasses = field(default_factory=SharedPasses)
    """Activations on the texts, for every SAE on this hook."""
    progress: bool = False
    questions: dict[str, Int[NDArray[np.int64], " n"]] = field(default_factory=dict[str, Any])
    """Rows that are asked of each subject."""

    def __post_init__(self) -> None:
        self._n_prompts = PROMPTS_PER_SEQUENCE * self.config.llm_batch_size
        hook_name = str(self.sae.cfg.metadata.hook_name)
        self.engine = AnswerEngine(
            self.model, self.sae, hook_name, self._n_prompts, asked=self.asked
        )
        self._clamp: Clamp | None = None
        self._are_asked_again = True
        self._ask_and_score = metrics.modify_and_calculate_metrics
        self._list_settings = metrics.generate_ablate_params_list

    def fast_answers(self) -> contextlib.AbstractContextManager[None]:
        """Let SAE-Bench's functions ask the engine, and take finished settings as they are."""
        return replaced(
            metrics,
            get_output_probs_abcd=self._probabilities,
            modify_model=self._modify_model,
            modify_and_calculate_metrics=self._finished_or_asked,
            generate_ablate_params_list=self._listed,
            save_target_question_ids=_no_questions_to_find,
        )

    def find_questions(self, data: UnlearningData) -> None:
        """Find the questions that are answered right in all 24 orders of their choices.

        Raises:
            EvalError: of a subject there is none.
        """
        ids = self.known_questions or {
            name: self.of_model.get_or_make(
                "questions", {"subject": name}, lambda name=name: self._always_right(name, data)
            )["ids"]
            for name in SUBJECTS
        }
        never = [name for name in SUBJECTS if not ids[name]]
        if never:
            raise EvalError(
                f"{self.model_name} answers no question of {', '.join(never)} right in all 24 "
                "orders of its choices, so there is nothing to forget or to keep; name a model "
                "that knows these subjects with evals.unlearning.model, or other questions with "
                "evals.unlearning.data."
            )
        write_question_ids(self.folder, ids)
        self.questions = {name: np.array(rows) for name, rows in ids.items()}

    def find_sparsities(self) -> dict[str, Shares]:
        """Return each latent's share of the `forget` and the `retain` text's tokens where it fires.

        SAE-Bench's `save_feature_sparsity`.

        Raises:
            DataError: a text does not fill one sequence.
        """
        known = self.of_sae.get_or_make("sparsities", {}, self._sparsities)
        sparsities: dict[str, Shares] = {name: np.array(shares) for name, shares in known.items()}
        feature_activation.save_results(
            str(self.folder), _SAE_NAME, sparsities["forget"], sparsities["retain"]
        )
        return sparsities

    def run_sweep(self) -> tuple[float, Sweep]:
        """Run SAE-Bench's `run_eval_single_sae`; return its score with the answers behind it."""
        unlearning_eval.run_eval_single_sae(
            self.model, self.sae, self.config, str(self.folder), _SAE_NAME, False
        )
        results = self.folder / _SAE_NAME / "results" / "metrics"
        score = unlearning_main.get_unlearning_scores(unlearning_main.get_metrics_df(results))
        by_setting: list[tuple[Setting, dict[str, Any]]] = []
        for path in results.glob("*.pkl"):
            # SAE-Bench's format; it wrote them a moment ago, into a folder that was empty
            with path.open("rb") as file:
                answers = pickle.load(file)
            parts = unlearning_main.get_params(path.name)
            assert parts is not None, "SAE-Bench has just read it"
            by_setting.append((_setting(float(parts[3]), answers.pop("ablate_params")), answers))
        # threshold, number of latents, multiplier
        return float(score), self._sweep(sorted(by_setting, key=lambda entry: entry[0][:3]))

    def run_control(
        self, sweep: Sweep, alive: Int[NDArray[np.int64], " n"], rng: np.random.Generator
    ) -> Sweep:
        """Run the sweep again with as many random live latents, drawn again for each number."""
        drawn: dict[tuple[float, int], tuple[int, ...]] = {}
        settings: list[Setting] = []
        for setting in sweep.settings:
            chosen = setting.retain_threshold, setting.n_features
            if chosen not in drawn:
                latents = rng.choice(alive, setting.n_features, replace=False)
                drawn[chosen] = tuple(int(latent) for latent in latents)
            settings.append(setting._replace(latents=drawn[chosen]))
        self._ask_ahead([(setting.latents, setting.multiplier) for setting in settings])
        bar = tqdm(settings, desc="random latents", disable=not self.progress)
        return self._sweep([(setting, self._answers_under(setting)) for setting in bar])

    def _always_right(self, subject: str, data: UnlearningData) -> dict[str, Any]:
        """Run SAE-Bench's `save_target_question_ids`, without asking again what failed once."""
        ids = np.arange(len(data.questions[subject]))
        orders = [list(order) for order in metrics.all_permutations]
        bar = tqdm(total=len(orders), desc=f"orders of {subject}", disable=not self.progress)
        self._are_asked_again = False
        while orders and len(ids):
            n_orders = max(1, self._n_prompts // len(ids))  # as many as fill a batch
            asked, orders = orders[:n_orders], orders[n_orders:]
            answers = metrics.calculate_MCQ_metrics(
                self.model,
                self._n_prompts,
                str(self.folder),
                subject,
                question_subset=ids.tolist(),
                permutations=asked,
                verbose=False,
            )
            ids = ids[(answers["is_correct"].reshape(-1, len(asked)) > 0).all(1)]
            bar.update(len(asked))
        bar.close()
        self._are_asked_again = True
        return {"ids": ids.tolist()}

    def _sparsities(self) -> dict[str, Any]:
        with remembering(self.model, self.engine.hook_name, self.shared):
            feature_activation.save_feature_sparsity(
                self.model,
                self.sae,
                str(self.folder),
                _SAE_NAME,
                self.config.dataset_size,
                self.config.seq_len,
                self.config.llm_batch_size,
            )
        sparsities = feature_activation.load_sparsity_data(str(self.folder), _SAE_NAME)
        for name, shares in zip(("forget", "retain"), sparsities, strict=True):
            if np.isnan(shares).any():  # 0 of 0 tokens
                raise DataError(
                    f"The texts to {name} hold not one sequence of {self.config.seq_len} tokens; "
                    "add texts, or lower evals.unlearning.seq_len."
                )
        return {"forget": sparsities[0].tolist(), "retain": sparsities[1].tolist()}

    def _answers_under(self, setting: Setting) -> dict[str, Any]:
        return metrics.modify_and_calculate_metrics(
            self.model,
            self._n_prompts,
            str(self.folder),
            self.sae,
            dataset_names=list(SUBJECTS),
            # what SAE-Bench's calculate_metrics_list leaves to the default too
            metric_params={FORGET: {"target_metric": TARGET}},
            intervention_method=METHOD,
            features_to_ablate=np.array(setting.latents, dtype=int),
            multiplier=setting.multiplier,
        )

    def _sweep(self, by_setting: Sequence[tuple[Setting, Mapping[str, Any]]]) -> Sweep:
        return Sweep(
            settings=tuple(setting for setting, _ in by_setting),
            questions=self.questions,
            rights={
                name: np.stack([answers[name]["is_correct"] > 0 for _, answers in by_setting])
                for name in SUBJECTS
            },
        )

    def _listed(self, *args: Any, **params: Any) -> list[dict[str, Any]]:
        """Return SAE-Bench's list of settings, once the answers under all of them are made."""
        listed = self._list_settings(*args, **params)
        self._ask_ahead([(_latents(one), int(one["multiplier"])) for one in listed])
        return listed

    def _ask_ahead(self, settings: Sequence[tuple[tuple[int, ...], int]]) -> None:
        self.engine.ask_ahead(
            [
                Clamp(latents=latents, multiplier=multiplier)
                for latents, multiplier in settings
                if not self.of_sae.has("setting", _key(latents, multiplier))
            ]
        )

    def _modify_model(self, model: HookedTransformer, sae: Any, **params: Any) -> None:
        """Replace SAE-Bench's hook on the model: pass the clamp to the engine instead."""
        self._clamp = Clamp(latents=_latents(params), multiplier=int(params["multiplier"]))

    def _probabilities(self, model: HookedTransformer, prompts: list[str], **_: Any) -> Tensor:
        return self.engine.probabilities(prompts, self._clamp, keep=self._are_asked_again)

    def _finished_or_asked(self, *args: Any, **params: Any) -> dict[str, Any]:
        """Return SAE-Bench's answers under one setting, computed only if not yet known."""

        def ask() -> dict[str, Any]:
            try:
                answers = self._ask_and_score(*args, **params)
            finally:
                self._clamp = None
            return {
                name: {
                    "mean_correct": answer["mean_correct"],
                    "total_correct": answer["total_correct"],
                    "is_correct": answer["is_correct"].astype(int).tolist(),
                }
                for name, answer in answers.items()
            }

        key = _key(_latents(params), int(params["multiplier"]))
        known = self.of_sae.get_or_make("setting", key, ask)
        return {
            name: {**answer, "is_correct": np.array(answer["is_correct"])}
            for name, answer in known.items()
        }


def write_question_ids(folder: Path, ids: Mapping[str, Sequence[int]]) -> None:
    """Write the files from which SAE-Bench reads which questions are answered right."""
    for subject, chosen in ids.items():
        name = subject if subject == FORGET else f"mmlu-{subject.replace('_', '-')}"
        path = folder / "data" / "question_ids" / "all" / f"{name}_{TARGET}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(path, np.array(chosen, dtype=int), fmt="%d")


def _no_questions_to_find(*_: Any, **__: Any) -> None:
    """Replace `save_target_question_ids`: the questions are already found."""


def _setting(threshold: float, params: Mapping[str, Any]) -> Setting:
    latents = _latents(params)
    return Setting(threshold, len(latents), int(params["multiplier"]), latents)


def _key(latents: Sequence[int], multiplier: int) -> dict[str, Any]:
    """Return what a setting's answers are kept under."""
    return {"latents": sorted(latents), "multiplier": multiplier}


def _latents(params: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(int(latent) for latent in params["features_to_ablate"])
