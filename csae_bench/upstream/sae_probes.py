"""sae-probes on an SAE and a model that are objects, and on datasets from any folder.

Its own `run_sae_evals` loads a model by name, finds datasets in its own package only, and keeps
activations and results in files. Here its `run_sae_eval` and `run_baseline_dataset_layer`, which
hold the whole protocol, run untouched: activations and labels are laid where they look for them.
Kantamneni et al. 2025, arXiv:2502.16681.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import tempfile
import warnings
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import torch
from torch import Tensor
from transformer_lens import HookedTransformer

from csae_bench.activations.shared import SharedPasses
from csae_bench.engines.sae_probes.data import MAX_ROWS, SUFFIX, n_train, read_dataset
from csae_bench.engines.sae_probes.results import DatasetOutcome, Scores
from csae_bench.errors import ConfigError, EvalError, ModelError, SaeError
from csae_bench.saes import attributes
from csae_bench.saes.attributes import AnySae
from csae_bench.upstream.adapting import AdaptedSae
from csae_bench.upstream.isolation import isolated

with warnings.catch_warnings():  # it switches a warning of scikit-learn's off for the process
    from sae_probes import generate_model_activations, utils_data
    from sae_probes.run_baselines import run_baseline_dataset_layer
    from sae_probes.run_sae_evals import run_sae_eval

BATCHES_AT_ONCE = 16
"""Forward passes whose activations are held before the rows that are wanted are copied out."""

# scikit-learn's opinion of how sae-probes asks for l1; l1 is what it gets
_EXPECTED = "Inconsistent values: penalty=l1"
# only ever part of the paths of temporary files; a true name may have slashes
_MODEL = "model"


@dataclass(frozen=True, kw_only=True)
class ProbeSettings:
    """Arguments of sae-probes, by its own names."""

    hook_name: str
    ks: tuple[int, ...]
    reg_type: Literal["l1", "l2"]
    binarize: bool
    mean_diff_normalization: Literal["mean", "none"]
    seed: int
    batch_size: int
    max_seq_len: int
    with_baseline: bool
    device: str
    progress: bool = False


@dataclass(frozen=True)
class ProbesOutcome:
    """Result of sae-probes."""

    datasets: tuple[DatasetOutcome, ...]
    warnings: list[str]


def run_sae_probes(
    sae: AnySae,
    model: HookedTransformer,
    files: Iterable[Path],
    settings: ProbeSettings,
    shared: SharedPasses | None = None,
) -> ProbesOutcome:
    """Probe each dataset in its `normal` setting; the SAE and the model are not changed.

    Args:
        files: `<name>.csv.zst`, see `sae_probes_data`.
        shared: holds activations and dense probes, which are the model's, for other SAEs.

    Raises:
        DataError: a dataset is malformed.
        ConfigError: a k is larger than d_sae.
        SaeError: the model has no such hook.
        ModelError: it has no tokenizer.
        EvalError: sae-probes left no result.
    """
    _check(sae, model, settings)
    kept = SharedPasses(max_bytes=0) if shared is None else shared
    outcomes: list[DatasetOutcome] = []
    with isolated() as said, tempfile.TemporaryDirectory(prefix="csae_bench_sae_probes_") as folder:
        for path in files:
            if settings.progress:
                sys.stderr.write(f"sae_probes: {path.name}\n")
            with _quiet():
                outcomes.append(_on_dataset(sae, model, path, settings, Path(folder), kept))
    return ProbesOutcome(tuple(outcomes), _warnings(said))


def _warnings(said: Iterable[str]) -> list[str]:
    """Return the first line of each warning, once."""
    lines = (
        message.splitlines()[0].rstrip(":") for message in said if not message.startswith(_EXPECTED)
    )
    return list(dict.fromkeys(f"sae-probes: {line}" for line in lines))


def _check(sae: AnySae, model: HookedTransformer, settings: ProbeSettings) -> None:
    if model.tokenizer is None:
        raise ModelError(f"{model.cfg.model_name} has no tokenizer; sae-probes reads text.")
    if settings.hook_name not in model.hook_dict:
        raise SaeError(
            f"The SAE's hook_name is '{settings.hook_name}', which {model.cfg.model_name} does not "
            f"have; its last residual stream is blocks.{model.cfg.n_layers - 1}.hook_resid_post."
        )
    large = [k for k in settings.ks if k > attributes.d_sae(sae)]
    if large:
        raise ConfigError(
            [
                f"evals.sparse_probing_sae_probes.ks has {', '.join(map(str, large))}; it must be "
                f"at most d_sae={attributes.d_sae(sae)}."
            ]
        )


def _on_dataset(
    sae: AnySae,
    model: HookedTransformer,
    path: Path,
    settings: ProbeSettings,
    folder: Path,
    kept: SharedPasses,
) -> DatasetOutcome:
    name = path.name.removesuffix(SUFFIX)
    rows = read_dataset(path)
    place = (id(model), settings.hook_name, path, path.stat().st_mtime_ns)
    activations, n_truncated = kept.get_or_make(
        ("probed activations", *place, settings.batch_size, settings.max_seq_len),
        lambda: _activations(model, rows["prompt"].tolist(), settings),
    )
    # where get_xvals looks; that it is there keeps sae-probes from loading a model by name
    stored = folder / f"model_activations_{_MODEL}" / f"{name}_{settings.hook_name}.pt"
    stored.parent.mkdir(exist_ok=True)
    torch.save(activations, stored)
    asked: dict[str, Any] = {
        "hook_name": settings.hook_name,
        "model_name": _MODEL,
        "model_cache_path": folder,
        "results_path": folder,
        "seed": settings.seed,
    }
    with _dataset(name, rows):
        run_sae_eval(
            sae=cast(Any, AdaptedSae.of(sae)),
            dataset=name,
            reg_type=settings.reg_type,
            setting="normal",
            binarize=settings.binarize,
            ks=list(settings.ks),
            device=settings.device,
            mean_diff_normalization=settings.mean_diff_normalization,
            **asked,
        )
        dense = None
        if settings.with_baseline:
            shape = (settings.batch_size, settings.max_seq_len, settings.seed)
            dense = kept.get_or_make(
                ("dense probe", *place, *shape), lambda: _dense_probe(name, folder, asked)
            )
            for message in dense.warnings:
                warnings.warn(message, stacklevel=1)
    stored.unlink()
    by_k = {entry["k"]: entry for entry in _results(folder, f"sae_probes_{_MODEL}", name)}
    return DatasetOutcome(
        name=name,
        sae={k: _scores(by_k[k]) for k in settings.ks},
        latents={k: tuple(by_k[k]["indices"]) for k in settings.ks},
        llm=None if dense is None else dense.scores,
        n_rows=min(len(rows), MAX_ROWS),
        n_train=n_train(len(rows)),
        n_truncated=n_truncated,
    )


class _DenseProbe(NamedTuple):
    """The probe on the model's activations, which is the same for every SAE."""

    scores: Scores
    warnings: tuple[str, ...]


def _dense_probe(name: str, folder: Path, asked: Mapping[str, Any]) -> _DenseProbe:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run_baseline_dataset_layer(numbered_dataset=name, method_name="logreg", **asked)
    (scores,) = _results(folder, f"baseline_results_{_MODEL}", name)
    said = (warning for warning in caught if issubclass(warning.category, UserWarning))
    return _DenseProbe(_scores(scores), tuple(str(warning.message) for warning in said))


def _activations(
    model: HookedTransformer, prompts: list[str], settings: ProbeSettings
) -> tuple[Tensor, int]:
    """Return float [n, d_in], the activation at each prompt's last token, and how many were cut.

    sae-probes makes views of whole batches, which on a CPU hold every position of every prompt in
    memory; here that many at a time. The batches are the same, and so the numbers.
    """
    max_seq_len = min(settings.max_seq_len, model.cfg.n_ctx)
    step = settings.batch_size * BATCHES_AT_ONCE
    parts: list[Tensor] = []
    with _tokenizer_kept(model) as tokenizer:
        for start in range(0, len(prompts), step):
            made = generate_model_activations._process_activations(  # pyright: ignore[reportPrivateUsage]
                model=model,
                texts=prompts[start : start + step],
                batch_size=settings.batch_size,
                max_seq_len=max_seq_len,
                hook_names=[settings.hook_name],
                max_layer=None,
                device=settings.device,
            )
            parts.append(made[settings.hook_name])
        n_truncated = sum(len(tokenizer(prompt)["input_ids"]) > max_seq_len for prompt in prompts)
    return torch.cat(parts), n_truncated


def _results(folder: Path, kind: str, name: str) -> list[dict[str, Any]]:
    files = list((folder / kind / "normal_setting").glob(f"{name}_*.json"))
    if len(files) != 1:
        raise EvalError(f"sae-probes left {len(files)} results on {name} where one was expected.")
    results = json.loads(files[0].read_text(encoding="utf-8"))
    files[0].unlink()
    return results


def _scores(entry: Mapping[str, float]) -> Scores:
    return Scores(entry["test_acc"], entry["test_auc"], entry["test_f1"])


@contextlib.contextmanager
def _dataset(name: str, rows: Any) -> Generator[None, None, None]:
    """Restrict sae-probes to this dataset within the context."""
    sizes: dict[str, int] = utils_data.get_dataset_sizes()  # the one dict that all its modules have
    own_sizes, own_reader = dict(sizes), utils_data.read_numbered_dataset_df
    sizes.clear()
    sizes[name] = len(rows)
    utils_data.read_numbered_dataset_df = {name: rows}.__getitem__
    try:
        yield
    finally:
        sizes.clear()
        sizes.update(own_sizes)
        utils_data.read_numbered_dataset_df = own_reader


@contextlib.contextmanager
def _tokenizer_kept(model: HookedTransformer) -> Generator[Any, None, None]:
    """Restore the tokenizer's sides of cutting and padding on leaving; sae-probes sets both."""
    tokenizer: Any = model.tokenizer
    sides = tokenizer.truncation_side, tokenizer.padding_side
    try:
        yield tokenizer
    finally:
        tokenizer.truncation_side, tokenizer.padding_side = sides


@contextlib.contextmanager
def _quiet() -> Generator[None, None, None]:
    """Suppress its progress bars, several for each dataset, within the context."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield
