"""Conversion of a configuration's training settings for SAELens and Weights & Biases."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import wandb
from sae_lens.config import LoggingConfig, SAETrainerConfig

from csae_bench.config import RunConfig


def trainer_config(config: RunConfig, device: str) -> SAETrainerConfig:
    """Return the settings of SAELens's trainer; checkpoints are not left to it."""
    training, wandb_settings = config.training, config.training.wandb
    logging = LoggingConfig(log_to_wandb=False)
    if wandb_settings is not None:
        logging = LoggingConfig(
            wandb_project=wandb_settings.project,
            wandb_entity=wandb_settings.entity,
            run_name=wandb_settings.run_name,
            wandb_log_frequency=training.log_every,
        )
    return SAETrainerConfig(
        total_training_samples=training.n_tokens,
        train_batch_size_samples=training.batch_size,
        lr=training.learning_rate,
        lr_end=training.learning_rate / 10,
        lr_scheduler_name=training.lr_scheduler,
        lr_warm_up_steps=training.lr_warm_up_steps,
        lr_decay_steps=training.lr_decay_steps,
        adam_beta1=training.adam_beta1,
        adam_beta2=training.adam_beta2,
        device=device,
        autocast=training.autocast,
        dead_feature_window=training.dead_latent_window,
        logger=logging,
    )


@contextmanager
def wandb_run(config: RunConfig) -> Generator[None]:
    """Open a run of Weights & Biases around training if the configuration asks for one."""
    settings = config.training.wandb
    if settings is None:
        yield
        return
    run = wandb.init(
        project=settings.project,
        entity=settings.entity,
        name=settings.run_name,
        config=config.model_dump(mode="json"),
    )
    try:
        yield
    except BaseException:  # Ctrl-C too: a run that is not finished counts as running for ever
        run.finish(exit_code=1)
        raise
    run.finish()
