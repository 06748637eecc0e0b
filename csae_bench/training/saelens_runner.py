"""ContrastiveSAETrainingRunner: SAELens's training runner, with pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import wandb
from sae_lens import logger
from sae_lens.config import HfDataset, LanguageModelSAERunnerConfig
from sae_lens.llm_sae_training_runner import LanguageModelSAETrainingRunner
from sae_lens.saes.sae import TrainingSAE
from transformer_lens.HookedRootModule import HookedRootModule
from typing_extensions import override

from csae_bench.activations.sources import ModelSource
from csae_bench.config import HoldL0Settings, PairsSettings, Stage, WeightingSettings
from csae_bench.errors import ConfigError
from csae_bench.pair_texts import PAIR_TEXTS
from csae_bench.pairs import PairSource, PairStream, SameSequencePairs
from csae_bench.saes import register
from csae_bench.training.interruption import Interruption, interruption
from csae_bench.training.log import LOG_FILE, TrainingLog
from csae_bench.training.loop import ContrastiveSAETrainer
from csae_bench.training.objective_schedule import ObjectiveScheduleSettings
from csae_bench.training.state import seed_everything
from csae_bench.training.text_pairs import open_text_pairs


class ContrastiveSAETrainingRunner(LanguageModelSAETrainingRunner):
    """Runner that trains from SAELens's own config, whose `sae` may be a contrastive one.

    Everything is done as in LanguageModelSAETrainingRunner (model, dataset, checkpoints, wandb,
    output), but:
    - the rows of a batch are pairs of positions, of one text or of paraphrases, as `pairs` says;
    - special tokens never train, whatever `exclude_special_tokens` is;
    - `seed` seeds: weights, pairs and shuffling. Resumed from a checkpoint, training ends in the
      weights it would have ended in without the break;
    - training_tokens / train_batch_size_tokens steps are made, rounded down;
    - a training log is written to `output_path`.

    Raises:
        ConfigError: the config asks for what pairs cannot do.

    Examples:
        >>> from sae_lens import LanguageModelSAERunnerConfig, LoggingConfig
        >>> from csae_bench import models
        >>> from csae_bench.corpora import open_corpus
        >>> from csae_bench.saes.contrastive import ContrastiveTopKTrainingSAEConfig
        >>> cfg = LanguageModelSAERunnerConfig(
        ...     sae=ContrastiveTopKTrainingSAEConfig(
        ...         d_in=128, d_sae=256, k=16, losses={"rows": {"weight": 0.1}}
        ...     ),
        ...     model_name="tiny-gemma2-it",
        ...     hook_name="blocks.2.hook_resid_post",
        ...     is_dataset_tokenized=False,
        ...     context_size=64,
        ...     store_batch_size_prompts=8,
        ...     n_batches_in_buffer=16,
        ...     train_batch_size_tokens=256,
        ...     training_tokens=2 * 256,
        ...     logger=LoggingConfig(log_to_wandb=False),
        ...     checkpoint_path=None,
        ...     output_path=None,
        ...     verbose=False,
        ... )
        >>> sae = ContrastiveSAETrainingRunner(
        ...     cfg,
        ...     override_dataset=open_corpus("tinyworld", split="sae"),
        ...     override_model=models.load("tiny-gemma2-it"),
        ...     progress=False,
        ... ).run()
        >>> tuple(sae.W_dec.shape)
        (256, 128)
    """

    def __init__(
        self,
        cfg: LanguageModelSAERunnerConfig[Any],
        override_dataset: HfDataset | None = None,
        override_model: HookedRootModule | None = None,
        override_sae: TrainingSAE[Any] | None = None,
        *,
        pairs: PairsSettings | None = None,
        weighting: WeightingSettings | None = None,
        curriculum: tuple[Stage, ...] = (),
        hold_l0: HoldL0Settings | None = None,
        gradient_clip_norm: float = 1.0,
        progress: bool = True,
    ) -> None:
        self._pairs = pairs or PairsSettings()
        problems = _problems(cfg, self._pairs)
        if problems:
            raise ConfigError(problems)
        register()
        seed_everything(cfg.seed)
        super().__init__(cfg, override_dataset, override_model, override_sae)
        self._schedule = ObjectiveScheduleSettings(
            weighting=weighting or WeightingSettings(),
            curriculum=curriculum,
            hold_l0=hold_l0,
            pairs=self._pairs,
        )
        self._gradient_clip_norm = gradient_clip_norm
        self._progress = progress

    @override
    def run(self) -> TrainingSAE[Any]:
        """Train, save to `output_path` and return the SAE."""
        self._set_sae_metadata()
        if self.cfg.logger.log_to_wandb:
            wandb.init(
                project=self.cfg.logger.wandb_project,
                entity=self.cfg.logger.wandb_entity,
                config=self.cfg.to_dict(),
                name=self.cfg.logger.run_name,
                id=self.cfg.logger.wandb_id,
            )
        with interruption() as stop:
            trainer = self._trainer(stop)
            checkpoint = self.cfg.resume_from_checkpoint
            if checkpoint is not None:
                logger.info(f"Resuming from checkpoint: {checkpoint}")
                self.sae.load_weights_from_checkpoint(checkpoint)
                trainer.load_trainer_state(checkpoint)
            self._compile_sae_if_needed()
            sae = trainer.fit()
        if self.cfg.output_path is not None:
            self.save_final_sae(sae, self.cfg.output_path, trainer.log_feature_sparsity)
        if self.cfg.logger.log_to_wandb:
            wandb.finish()
        return sae

    @override
    def _set_sae_metadata(self) -> None:
        super()._set_sae_metadata()
        self.sae.cfg.metadata.exclude_special_tokens = True

    def _trainer(self, stop: Interruption) -> ContrastiveSAETrainer:
        store, batch_size = self.activations_store, self.cfg.train_batch_size_tokens
        rows_in_buffer = store.n_batches_in_buffer * store.training_context_size
        stream = PairStream(
            self._sources(),
            self._pairs.shares(),
            batch_size=batch_size,
            pairs_in_buffer=max(rows_in_buffer, batch_size) // 2,
            seed=self.cfg.seed,
            mix_fraction=self.cfg.activations_mixing_fraction,
            shuffled=self._pairs.shuffled_kinds,
            threes=self._pairs.threes,
        )
        log = None
        if self.cfg.output_path is not None:
            output = Path(self.cfg.output_path)
            output.mkdir(parents=True, exist_ok=True)
            log = TrainingLog(output / LOG_FILE, every=self.cfg.logger.wandb_log_frequency)
            if self.cfg.resume_from_checkpoint is None:
                log.drop_after(0)
        return ContrastiveSAETrainer(
            self.cfg.to_sae_trainer_config(),
            self.sae,
            stream,
            self.evaluator,
            self.save_checkpoint,
            schedule=self._schedule,
            gradient_clip_norm=self._gradient_clip_norm,
            log=log,
            after_step=lambda trainer: self._stop_where_asked(trainer, stop),
            progress=self._progress,
        )

    def _sources(self) -> dict[str, PairSource]:
        store, seed = self.activations_store, self.cfg.seed

        def sequences() -> PairSource:
            return SameSequencePairs(ModelSource(store), self._pairs.same_sequence, seed=seed)

        def texts(kind: str) -> PairSource:
            return open_text_pairs(
                kind,
                self._pairs,
                self.model,
                store.get_activations,
                d_in=store.d_in,
                context_size=store.context_size,
                batch_size_prompts=store.store_batch_size_prompts,
                seed=seed,
            )

        return {
            kind: texts(kind) if kind in PAIR_TEXTS else sequences()
            for kind in self._pairs.shares()
        }

    def _stop_where_asked(self, trainer: ContrastiveSAETrainer, stop: Interruption) -> None:
        # not run_trainer_with_interruption_handling: what it saves lacks the weights
        if not stop.is_requested:
            return
        saved = "nothing is saved, as checkpoint_path is None"
        if self.cfg.checkpoint_path is not None:
            trainer.save_checkpoint(str(trainer.n_training_samples))
            folder = Path(self.cfg.checkpoint_path) / str(trainer.n_training_samples)
            saved = f"resume_from_checkpoint='{folder}' resumes from there"
        raise stop.error(f"Training stopped after step {trainer.n_training_steps}; {saved}.")


def _problems(cfg: LanguageModelSAERunnerConfig[Any], pairs: PairsSettings) -> list[str]:
    problems: list[str] = []
    if cfg.use_cached_activations:
        problems.append(
            "use_cached_activations is True; it must be False: in cached activations nobody can "
            "tell which rows are of one text."
        )
    if cfg.prefetch_llm_batches:
        problems.append(
            f"prefetch_llm_batches is {cfg.prefetch_llm_batches}; it must be False: batches that "
            "are made ahead cannot be saved in a checkpoint."
        )
    if cfg.train_batch_size_tokens % 2:
        problems.append(
            f"train_batch_size_tokens is {cfg.train_batch_size_tokens}; it must be even, since a "
            "pair is two rows."
        )
    if any(kind in PAIR_TEXTS for kind in pairs.shares()) and any(
        end is not None for end in cfg.seqpos_slice
    ):
        problems.append(
            f"seqpos_slice is {cfg.seqpos_slice}; with pairs of texts it must be (None,): they are "
            "of different lengths."
        )
    return problems
