"""load_sae: any SAE that SAELens, csae-bench or another library has saved, to be evaluated."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar, overload

import sae_lens
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
from torch import nn

from csae_bench.errors import SaeError, UsageError, did_you_mean
from csae_bench.saes import attributes, register
from csae_bench.saes.architectures import architecture_of
from csae_bench.saes.attributes import training_architecture
from csae_bench.saes.checking import check_folder
from csae_bench.saes.folder import find_folder, is_training_form, read_cfg, sort_cfg
from csae_bench.saes.foreign import Form, foreign_form
from csae_bench.saes.kinds import KEYS, refusal
from csae_bench.saes.pretrained import is_pretrained_name, load_pretrained
from csae_bench.saes.weights_file import check_weights
from csae_bench.saes.wording import reason

__all__ = ["load_sae", "load_training_sae", "save_inference_form", "training_architecture"]

S = TypeVar("S", bound=nn.Module)


@overload
def load_sae(
    source: str | Path, *, device: str = "cpu", dtype: torch.dtype | None = None
) -> SAE[Any]: ...


@overload
def load_sae(source: S, *, device: str = "cpu", dtype: torch.dtype | None = None) -> S: ...


def load_sae(
    source: str | Path | nn.Module, *, device: str = "cpu", dtype: torch.dtype | None = None
) -> SAE[Any] | nn.Module:
    """Return the SAE in its inference form, decoder rows scaled to norm 1 if it allows that.

    Args:
        source: a checkpoint folder of ours, a folder of SAELens in inference or training form, of
            sparsify or of dictionary_learning, a file of bare arrays (see
            `csae_bench/saes/foreign`), or `RELEASE:SAE_ID` of SAELens's directory of pretrained
            SAEs. A module, with `encode`, `decode` and `W_dec`, is checked and returned as it is:
            `device`, `dtype` and the folding of norms are for what is loaded.
        dtype: type of the weights; none: as saved, or float32 for a pretrained one. Norms are
            folded before the weights are converted.

    Raises:
        SaeError: there is nothing to load, or what is there is damaged, of an unknown
            architecture, of a kind that cannot be judged, inconsistent, or not finite.

    Examples:
        >>> import csae_bench, tempfile
        >>> with tempfile.TemporaryDirectory() as results:
        ...     sae = csae_bench.load_sae(csae_bench.train("random", results=results))
        >>> tuple(sae.W_dec.shape)
        (1024, 128)
    """
    if isinstance(source, nn.Module):
        _check_module(source)
        return source
    register()
    if is_pretrained_name(source):
        sae = load_pretrained(str(source), device=device)
    else:
        sae = _load_folder(find_folder(Path(source)), device=device)
    _check_finite(sae, str(source))
    # Not implemented where the codes depend on the norms in a way that folding would change.
    with suppress(NotImplementedError):
        sae.fold_W_dec_norm()
    if dtype is not None:
        sae = sae.to(dtype=dtype)
    _check_finite(sae, f"{source}, in {sae.cfg.dtype} and with decoder norms folded")
    return sae


def load_training_sae(folder: Path, *, device: str = "cpu") -> TrainingSAE[Any]:
    """Load the training SAE that SAELens's `save_model` wrote, bit for bit, to resume training.

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
    """Write the inference form of the training SAE in `folder`, as the end of training would.

    What SAELens's trainer does to activations is folded into the weights before. An SAE of another
    library is written in SAELens's form.

    Raises:
        SaeError: as `load_sae`.
    """
    form = foreign_form(folder)
    if form is not None:
        _load_foreign(form, folder, device="cpu").save_model(to)
        sort_cfg(to)
        return
    sae = load_training_sae(folder)
    with _reading(folder):
        _fold_normalization(sae, folder / ACTIVATION_SCALER_CFG_FILENAME)
    _check_normalization(folder, sae)
    sae.save_inference_model(to)
    sort_cfg(to)


def _check_module(sae: nn.Module) -> None:
    said = {key: attributes.metadata(sae, key) for key in KEYS}
    refused = refusal({**said, "architecture": attributes.architecture(sae)})
    if refused:
        raise SaeError(f"The SAE ({attributes.kind(sae)}): {refused}.")
    attributes.check_sae(sae)
    _check_finite(sae, f"The SAE ({attributes.kind(sae)})")


def _load_folder(folder: Path, *, device: str) -> SAE[Any]:
    form = foreign_form(folder)
    if form is not None:
        return _load_foreign(form, folder, device=device)
    cfg = check_folder(folder)
    if is_training_form(cfg):
        with tempfile.TemporaryDirectory() as converted:
            save_inference_form(folder, Path(converted))
            return SAE.load_from_disk(converted, device=device)
    _check_architecture(folder, {"architecture": architecture_of(cfg)}, SAE_CLASS_REGISTRY)
    with _reading(folder):
        sae = SAE.load_from_disk(folder, device=device)
    _check_normalization(folder, sae)
    return sae


def _load_foreign(form: Form, place: Path, *, device: str) -> SAE[Any]:
    cfg = check_folder(place)

    def read(path: Any, device: str, cfg_overrides: Any = None) -> tuple[dict[str, Any], Any]:
        # without a version SAELens takes it for one of before version 6, and drops the metadata
        versions = {"sae_lens_version": sae_lens.__version__, "sae_lens_training_version": None}
        tensors = {name: one.to(device) for name, one in form.tensors(place, cfg).items()}
        return {**cfg, "device": device, "metadata": {**cfg["metadata"], **versions}}, tensors

    with _reading(place):
        return SAE.load_from_disk(place, device=device, converter=read)


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


def _check_finite(sae: nn.Module, source: str) -> None:
    counts = {name: int((~t.isfinite()).sum()) for name, t in sae.state_dict().items()}
    broken = [f"{name} ({count} of its values)" for name, count in counts.items() if count]
    if broken:
        raise SaeError(f"{source}: weights are not finite: {', '.join(broken)}.")


@contextmanager
def _reading(folder: Path) -> Generator[None]:
    """Convert what SAELens and torch raise on files that do not fit together to one SaeError."""
    try:
        yield
    except RuntimeError as error:
        first, *details = (line.strip().rstrip(".") for line in str(error).splitlines())
        if not first.startswith("Error(s) in loading state_dict"):
            raise  # out of memory, say: nothing is wrong with the files
        raise SaeError(f"{folder}: weights do not fit cfg.json: {'; '.join(details)}.") from error
    except UsageError as error:
        raise SaeError(f"{folder}: {error}") from error
    except OSError as error:
        raise SaeError(f"{folder}: cannot be loaded: {reason(error)}.") from error
    except (
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        ArithmeticError,
        AssertionError,
        SafetensorError,
    ) as error:
        raise SaeError(
            f"{folder}: cannot be loaded: {type(error).__name__}: {reason(error)}."
        ) from error
