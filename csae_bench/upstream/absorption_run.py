"""SAE-Bench's two absorption experiments on one SAE, in folders of their own."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas
from sae_bench.evals.absorption import main as absorption_main
from sae_bench.evals.absorption.feature_absorption import run_feature_absortion_experiment
from sae_bench.evals.absorption.k_sparse_probing import run_k_sparse_probing_experiment

from csae_bench.engines.absorption.results import Letter, Letters
from csae_bench.engines.absorption.words import n_by_letter
from csae_bench.errors import EvalError
from csae_bench.upstream.absorption_isolation import FewerCodes, StoppingModel, sae_bench_draws
from csae_bench.upstream.absorption_probes import LetterProbes
from csae_bench.upstream.absorption_settings import AbsorptionSettings

_SAE_NAME = "sae"
_EXPECTED = "Precision is ill-defined"
"""What scikit-learn says of a probe that finds no word: its F1 is 0, as it should be."""
_OTHER_LENGTHS = "must have the same token length"


class AbsorptionRun(NamedTuple):
    """SAE-Bench's two experiments on one SAE."""

    model: StoppingModel
    layer: int
    words: Sequence[str]
    probes: LetterProbes
    settings: AbsorptionSettings

    def letters(self, sae: Any) -> tuple[Letters, list[str]]:
        """Return the letters, and what was warned of."""
        config = self.settings.config
        asked: dict[str, Any] = {
            "model": self.model,
            "sae": sae,
            "layer": self.layer,
            "sae_name": _SAE_NAME,
            "max_k_value": config.max_k_value,
            "prompt_template": config.prompt_template,
            "prompt_token_pos": config.prompt_token_pos,
            "device": self.settings.device,
        }
        with tempfile.TemporaryDirectory(prefix="csae-bench-") as name:
            folder = Path(name)
            self.probes.write(folder / "probes", self.model.cfg.model_name, self.layer)
            with (
                sae_bench_draws(self.words, seed=config.random_seed) as said,
                FewerCodes(config.max_k_value).within(),
            ):
                sparse = run_k_sparse_probing_experiment(
                    **asked,
                    experiment_dir=folder / "k_sparse",
                    probes_dir=folder / "probes",
                    f1_jump_threshold=config.f1_jump_threshold,
                    k_sparse_probe_l1_decay=config.k_sparse_probe_l1_decay,
                    k_sparse_probe_batch_size=config.k_sparse_probe_batch_size,
                    k_sparse_probe_num_epochs=config.k_sparse_probe_num_epochs,
                    eval_batch_size=config.eval_k_sparse_probe_batch_size,
                    precalc_k_sparse_probe_sae_acts=config.precalc_k_sparse_probe_sae_acts,
                )
                letters = self._joined(sparse, None)
                if letters.reason is None:
                    raw = self._absorbed(asked, folder)
                    letters = self._joined(sparse, absorption_main._aggregate_results_df(raw))  # pyright: ignore[reportPrivateUsage]
        return letters, _first_lines(said)

    def _absorbed(self, asked: Mapping[str, Any], folder: Path) -> pandas.DataFrame:
        config = self.settings.config
        try:
            return run_feature_absortion_experiment(
                **asked,
                experiment_dir=folder / "absorption",
                sparse_probing_experiment_dir=folder / "k_sparse",
                probes_dir=folder / "probes",
                feature_split_f1_jump_threshold=config.f1_jump_threshold,
                batch_size=config.llm_batch_size,
            )
        except ValueError as error:
            if _OTHER_LENGTHS not in str(error):
                raise
            raise EvalError(
                f"The tokenizer of {config.model_name} gives prompts of different lengths, though "
                "each word is one token; SAE-Bench reads all at one position. Set another "
                "evals.absorption_first_letter.prompt_template and prompt_token_pos."
            ) from error

    def _joined(self, sparse: pandas.DataFrame, absorbed: pandas.DataFrame | None) -> Letters:
        config = self.settings.config
        by_letter = {} if absorbed is None else absorbed.set_index("letter").to_dict("index")
        n_words = {
            split: n_by_letter(words)
            for split, words in (
                ("train", self.probes.words_train),
                ("test", self.probes.words_test),
            )
        }
        letters: list[Letter] = []
        for row in sparse.to_dict("records"):
            letter, own = str(row["letter"]), [int(i) for i in row["split_feats"]]
            values = by_letter.get(letter)
            letters.append(
                Letter(
                    letter=letter,
                    n_train=n_words["train"][letter],
                    n_test=n_words["test"][letter],
                    probe_f1=float(row["f1_probe"]),
                    counts=bool(row["f1_probe"] > config.min_GT_probe_f1),
                    split_feats=tuple(own),
                    split_f1=float(row[f"f1_sparse_sae_{len(own)}"]),
                    **({} if values is None else _values(values)),
                )
            )
        return Letters(
            letters=tuple(letters),
            min_letters=config.min_feats_for_eval,
            min_f1=config.min_GT_probe_f1,
        )


def _values(values: dict[str, Any]) -> dict[str, Any]:
    return {
        "mean_absorption_fraction": float(values["mean_absorption_fraction"]),
        "full_absorption_rate": float(values["full_absorption_rate"]),
        "num_full_absorption": int(values["num_full_absorption"]),
        "num_probe_true_positives": int(values["num_probe_true_positives"]),
    }


def _first_lines(messages: Sequence[str]) -> list[str]:
    told = (text for text in messages if text and not text.startswith(_EXPECTED))
    return list(dict.fromkeys(f"SAE-Bench: {text.splitlines()[0]}" for text in told))
