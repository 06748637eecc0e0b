"""Resolves `--sae`: the SAE of a run, with its names, its model and its location.

Everything here is read from small files: no weights are loaded and torch is not imported.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from csae_bench import models
from csae_bench.config import (
    GeneratorActivations,
    PairsSettings,
    ResolvedConfig,
    RunConfig,
)
from csae_bench.config.loading import Flags, is_config, load_config
from csae_bench.corpora import corpus_fingerprint
from csae_bench.errors import ConfigError, ResultError, SaeError, UnknownNameError
from csae_bench.factors import factor_fingerprint
from csae_bench.pair_texts import PAIR_TEXTS
from csae_bench.results import identity
from csae_bench.results.store import Store, read_record
from csae_bench.runs.request import RunRequest
from csae_bench.saes.checking import check_folder
from csae_bench.saes.folder import find_folder, local_place, name_of, sort_cfg, stated
from csae_bench.saes.foreign import foreign_form
from csae_bench.saes.hashing import weights_hash
from csae_bench.support.named_configs import config_names

_FILE_NAME = re.compile(r"[\w.+=,@-]{1,120}")
"""Pattern that an id from a foreign cfg.json must match to become part of a file's name."""

_SETTABLE_FOR_A_FOLDER = ("evals.", "model_dtype", "threads", "hook_name")


@dataclass(frozen=True, kw_only=True)
class ResolvedSae:
    """The SAE that a request names: its identity, configuration, model and location."""

    source: str
    resolved: ResolvedConfig
    model: models.ModelInfo | None
    """None for an SAE on generated activations."""
    hook_name: str | None
    release: str
    sae_id: str
    checkpoint: Path
    """A folder whose `inference/` holds the SAE, or will."""
    training_hash: str | None
    """Hash of what decides the weights; None for an SAE loaded from a folder."""
    made_from: Mapping[str, Any] | None = None
    """The data that determine the weights; `training_hash` is their hash."""
    of: ResolvedSae | None = None
    """The SAE that this one is made of, as a `permuted` control is."""
    trained_d_in: int | None = None
    """Width of the activations that an SAE loaded from a folder takes."""

    @property
    def config(self) -> RunConfig:
        """The run's configuration."""
        return self.resolved.config

    @property
    def is_ready(self) -> bool:
        """Whether the weights exist."""
        return self.training_hash is None or _is_finished(self.checkpoint)


def resolve_sae(request: RunRequest, resolved: ResolvedConfig | None = None) -> ResolvedSae:
    """Return the SAE that a request is about.

    Args:
        resolved: the configuration where it is known already.

    Raises:
        ConfigError, UnknownNameError, UsageError: the source, the configuration or the model is
            wrong.
        SaeError: the folder holds no SAE.
    """
    if resolved is not None or is_config(request.source):
        return _of_config(request, resolved or load_config(request.source, **request.flags))
    folder = local_place(request.source)
    if folder is not None:
        return _of_folder(request, folder)
    if is_pretrained(request.source):
        return _of_pretrained(request)
    raise UnknownNameError("SAE configuration or checkpoint folder", request.source, config_names())


def is_pretrained(source: str) -> bool:
    """Return whether `source` is written as RELEASE:SAE_ID of SAELens's directory."""
    return ":" in source and not is_config(source) and local_place(source) is None


def fetched_folder(request: RunRequest) -> Path | None:
    """Return where a pretrained SAE was kept when it was fetched; None if it was not yet."""
    folder = pretrained_folder(request)
    return folder if (folder / "inference").is_dir() else None


def fetch_pretrained(request: RunRequest) -> Path:
    """Fetch a pretrained SAE, unless it exists already, and keep it among the checkpoints.

    Raises:
        SaeError: it cannot be fetched, or is of a kind that cannot be evaluated.
    """
    from csae_bench.saes.loading import load_sae

    folder = pretrained_folder(request)
    if fetched_folder(request) is None:
        sae = load_sae(request.source)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as unfinished:
            sae.save_model(Path(unfinished) / "inference")
            sort_cfg(Path(unfinished) / "inference")
            (Path(unfinished) / "inference").rename(folder / "inference")
    return folder


def pretrained_folder(request: RunRequest) -> Path:
    """Return where a pretrained SAE is kept once it was fetched."""
    name = request.source.replace("/", "_").replace(":", "_")
    return request.results / "checkpoints" / "pretrained" / name


def _of_config(request: RunRequest, resolved: ResolvedConfig) -> ResolvedSae:
    config = resolved.config
    sae_id = identity.config_sae_id(resolved)
    if isinstance(config.activations, GeneratorActivations):
        model, hook_name, corpus = None, None, ""
        release = identity.generated_release(config.activations)
        if config.sae.factor_dataset is not None:
            corpus = factor_fingerprint(config.sae.factor_dataset)
    else:
        model = models.describe(config.model)
        hook_name = config.hook_name or model.default_hook_name
        release = identity.release(model.name, hook_name)
        corpus = _corpora(config.activations.dataset, config.pairs)
        if config.sae.factor_dataset is not None:
            corpus += f" {factor_fingerprint(config.sae.factor_dataset)}"
    other = config.sae.other_sae
    of = None if other is None else resolve_sae(request.for_source(other))
    made_from = identity.training_identity(
        resolved,
        model=models.weights_fingerprint(config.model) if model else "",
        corpus=corpus,
        of=_identity_of(of),
    )
    training_hash = identity.training_hash(made_from)
    return ResolvedSae(
        source=request.source,
        resolved=resolved,
        model=model,
        hook_name=hook_name,
        release=release,
        sae_id=sae_id,
        checkpoint=_checkpoint(request.store, release, sae_id, training_hash),
        training_hash=training_hash,
        made_from=made_from,
        of=of,
    )


def _checkpoint(store: Store, release: str, sae_id: str, training_hash: str) -> Path:
    """Return the SAE's own checkpoint, or one of another name with the same training hash.

    A finished one goes before one that was interrupted, the SAE's own before others.
    """
    own = store.checkpoint(release, sae_id, training_hash)
    folders = [own, *(path for path in store.checkpoints(training_hash) if path != own)]
    finished = [path for path in folders if _is_finished(path)]
    interrupted = [path for path in folders if (path / "trainer").exists()]
    return (finished or interrupted or [own])[0]


def _is_finished(checkpoint: Path) -> bool:
    return (checkpoint / "inference" / "cfg.json").is_file()


def _corpora(dataset: str, pairs: PairsSettings) -> str:
    """Return the fingerprints of the text and of the pairs of texts that are on."""
    of_pairs = [
        PAIR_TEXTS[kind].fingerprint(getattr(pairs, kind))
        for kind in pairs.shares()
        if kind in PAIR_TEXTS
    ]
    return " ".join([corpus_fingerprint(dataset, split="sae"), *of_pairs])


def _of_folder(request: RunRequest, folder: Path) -> ResolvedSae:
    inference = find_folder(folder)
    cfg = check_folder(inference)
    metadata = stated(cfg)
    name = request.model or metadata.get("model_name")
    hook_name = metadata.get("hook_name")
    resolved = _config_of_folder(request, folder, name, hook_name)
    hook_name = resolved.config.hook_name
    if not name or not hook_name:
        raise _without_a_place(inference, "model_name" if not name else "hook_name")
    model = models.describe(name)
    release = identity.release(model.name, hook_name)
    return ResolvedSae(
        source=request.source,
        resolved=resolved,
        model=model,
        hook_name=hook_name,
        release=release,
        sae_id=_id_of_folder(request.store, release, folder, metadata, weights_hash(inference)),
        checkpoint=folder,
        training_hash=None,
        trained_d_in=cfg.get("d_in"),
    )


def _without_a_place(inference: Path, missing: str) -> SaeError:
    """Return the error for an SAE that says neither its model nor, say, its hook."""
    form = foreign_form(inference)
    flag = "--model" if missing == "model_name" else "--set hook_name=blocks.2.hook_resid_post"
    if form is None:
        return SaeError(
            f"{inference}/cfg.json: metadata.{missing} is missing; pass it with {flag}."
        )
    return SaeError(
        f"{inference}: {missing} is not known; the form of {form.name} has it in "
        f"{form.says[missing]}. Pass it with {flag}."
    )


def _id_of_folder(
    store: Store, release: str, folder: Path, metadata: Mapping[str, Any], hashed: str
) -> str:
    """Return the name in the cfg.json of our checkpoint; else the folder's, with its hash.

    Where the results have another SAE of that name, the hash tells the two apart.
    """
    named = metadata.get(identity.SAE_ID_KEY)
    if not isinstance(named, str) or not _FILE_NAME.fullmatch(named):
        return f"{name_of(folder)}-{hashed[:8]}"
    try:
        record = read_record(store.run_record(release, named))
    except ResultError:  # a damaged record says nothing
        record = None
    is_other = record is not None and record.weights_hash not in (None, hashed)
    return f"{named}-{hashed[:8]}" if is_other else named


def _of_pretrained(request: RunRequest) -> ResolvedSae:
    """Return the SAE of the folder to which it was fetched."""
    folder = fetched_folder(request)
    if folder is None:
        raise SaeError(f"{request.source}: has not been fetched from the hub yet.")
    sae = _of_folder(request, folder)
    sae_id = f"{request.source.split(':')[-1].split('/')[-1]}-{weights_hash(folder)[:8]}"
    return replace(sae, sae_id=sae_id)


def _config_of_folder(
    request: RunRequest, folder: Path, model: str | None, hook_name: str | None
) -> ResolvedConfig:
    """Return the configuration for evaluating an existing SAE, in which nothing is trained."""
    without_effect = [text for text in request.sets if not text.startswith(_SETTABLE_FOR_A_FOLDER)]
    if without_effect:
        raise ConfigError(
            [
                f"--set {text}: has no effect on {folder}, which is trained already; settable are "
                f"{', '.join(key.rstrip('.') for key in _SETTABLE_FOR_A_FOLDER)}."
                for text in without_effect
            ]
        )
    sets: Sequence[str] = (
        *([f"hook_name={hook_name}"] if hook_name else []),
        *request.sets,
    )
    flags: Flags = {**request.flags, "sets": sets, "model": model}
    loaded = load_config("_existing", **flags)
    return loaded.model_copy(update={"name": name_of(folder), "path": folder})


def _identity_of(sae: ResolvedSae | None) -> str:
    if sae is None:
        return ""
    return sae.training_hash or weights_hash(sae.checkpoint)
