"""load_sae: whatever SAELens or csae-bench has saved, as an SAE that can be evaluated."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from sae_lens.constants import ACTIVATION_SCALER_CFG_FILENAME
from sae_lens.registry import (
    SAE_CLASS_REGISTRY,
    SAE_TRAINING_CLASS_REGISTRY,
    get_sae_training_class,
)
from sae_lens.saes.sae import SAE, TrainingSAE, TrainingSAEConfig
from sae_lens.training.activation_scaler import ActivationScaler
from safetensors import SafetensorError

from csae_bench.errors import SaeError, UsageError, did_you_mean
from csae_bench.saes import register
from csae_bench.saes.folder import check_weights, find_folder, is_training_form, read_cfg
from csae_bench.saes.pretrained import is_pretrained_name, load_pretrained


def load_sae(
    source: str | Path, *, device: str = "cpu", dtype: torch.dtype | None = None
) -> SAE[Any]:
    """The SAE in its inference form, with decoder rows of norm 1 where its architecture allows.

    Args:
        source: a checkpoint folder of ours, a folder of SAELens in inference or training form, or
            `RELEASE:SAE_ID` of SAELens's directory of pretrained SAEs.
        dtype: type of the weights; none: as saved, or float32 for a pretrained one. Norms are
            folded before the weights are converted.

    Raises:
        SaeError: there is nothing to load, or what is there is damaged, of an unknown
            architecture, inconsistent, or not finite.
    """
    register()
    if is_pretrained_name(source):
        sae = load_pretrained(str(source), device=device)
    else:
        sae = _load_folder(find_folder(Path(source)), device=device)
    _check_finite(sae, str(source))
    # Not implemented where the codes depend on the norms in a way that folding would change.
    with suppress(NotImplementedError):
        sae.fold_W_dec_norm()
    return sae if dtype is None else sae.to(dtype=dtype)


def load_training_sae(folder: Path, *, device: str = "cpu") -> TrainingSAE[Any]:
    """The training SAE that SAELens's `save_model` wrote, bit for bit, for training to go on.

    SAELens's own `TrainingSAE.load_from_disk` casts BatchTopK's running threshold, which is
    float64, to the type of the weights. This draws nothing from torch's global generator.

    Raises:
        SaeError: as `load_sae`.
    """
    register()
    cfg = read_cfg(folder)
    _check_architecture(folder, cfg, SAE_TRAINING_CLASS_REGISTRY)
    check_weights(folder)
    with _reading(folder), torch.random.fork_rng(devices=[]):
        config = TrainingSAEConfig.from_dict({**cfg, "device": "cpu"})
        sae = get_sae_training_class(config.architecture())[0](config)
        sae.load_weights_from_checkpoint(folder)
        return sae.to(device=device)


def save_inference_form(folder: Path, to: Path) -> None:
    """Writes the inference form of the training SAE in `folder`, as the end of training would.

    What SAELens's trainer does to activations is folded into the weights before.

    Raises:
        SaeError: as `load_sae`.
    """
    sae = load_training_sae(folder)
    with _reading(folder):
        _fold_normalization(sae, folder / ACTIVATION_SCALER_CFG_FILENAME)
    _check_normalization(folder, sae)
    sae.save_inference_model(to)


def training_architecture(sae: SAE[Any]) -> str:
    """The architecture it was trained as; BatchTopK, say, for one that infers as JumpReLU."""
    return sae.cfg.metadata.training_architecture or sae.cfg.architecture()


def _load_folder(folder: Path, *, device: str) -> SAE[Any]:
    cfg = read_cfg(folder)
    check_weights(folder)
    if is_training_form(cfg):
        with tempfile.TemporaryDirectory() as converted:
            save_inference_form(folder, Path(converted))
            return SAE.load_from_disk(converted, device=device)
    # Files older than SAELens 3 name no architecture; SAELens takes "standard" for it.
    _check_architecture(folder, {"architecture": "standard", **cfg}, SAE_CLASS_REGISTRY)
    with _reading(folder):
        sae = SAE.load_from_disk(folder, device=device)
    _check_normalization(folder, sae)
    return sae


def _fold_normalization(sae: TrainingSAE[Any], scaler_path: Path) -> None:
    if sae.cfg.normalize_activations == "none" or not scaler_path.is_file():
        return
    scaler = ActivationScaler()
    scaler.load(scaler_path)
    if scaler.scaling_factor is not None:
        sae.fold_activation_norm_scaling_factor(scaler.scaling_factor)
    if (whitening := scaler.whitening) is not None:
        sae.fold_activation_whitening(whitening.mean, whitening.matrix, whitening.inverse_matrix)


def _check_normalization(folder: Path, sae: SAE[Any]) -> None:
    normalization = sae.cfg.normalize_activations
    if normalization in ("expected_average_only_in", "covariance_whitening"):
        raise SaeError(
            f"{folder}: normalize_activations is '{normalization}', and its statistics are neither "
            f"folded into the weights nor in {ACTIVATION_SCALER_CFG_FILENAME}; load the SAE that "
            "the end of training saved, or set it to 'none' if the weights take raw activations."
        )


def _check_architecture(folder: Path, cfg: dict[str, Any], known: dict[str, Any]) -> None:
    architecture = cfg.get("architecture")
    if architecture not in known:
        raise SaeError(
            f"{folder}: SAELens knows no architecture '{architecture}'."
            f"{did_you_mean(str(architecture), known)} Available: {', '.join(sorted(known))}."
        )


def _check_finite(sae: SAE[Any], source: str) -> None:
    counts = {name: int((~t.isfinite()).sum()) for name, t in sae.state_dict().items()}
    broken = [f"{name} ({count} of its values)" for name, count in counts.items() if count]
    if broken:
        raise SaeError(f"{source}: weights are not finite: {', '.join(broken)}.")


@contextmanager
def _reading(folder: Path) -> Generator[None]:
    """What SAELens and torch raise on files that do not fit together, as one SaeError."""
    try:
        yield
    except RuntimeError as error:
        first, *details = (line.strip().rstrip(".") for line in str(error).splitlines())
        if not first.startswith("Error(s) in loading state_dict"):
            raise  # out of memory, say: nothing is wrong with the files
        raise SaeError(f"{folder}: weights do not fit cfg.json: {'; '.join(details)}.") from error
    except UsageError as error:
        raise SaeError(f"{folder}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, OSError, SafetensorError) as error:
        raise SaeError(f"{folder}: cannot be loaded: {type(error).__name__}: {error}.") from error
