"""SAEs of SAELens's own that cannot be judged, and the tables that are kept beside SAELens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from sae_lens import (
    JumpReLUSkipTranscoder,
    JumpReLUSkipTranscoderConfig,
    JumpReLUTranscoder,
    JumpReLUTranscoderConfig,
    SkipTranscoder,
    SkipTranscoderConfig,
    TemporalSAE,
    TemporalSAEConfig,
    Transcoder,
    TranscoderConfig,
)
from sae_lens.loading.pretrained_sae_loaders import sparsify_disk_loader
from sae_lens.loading.pretrained_saes_directory import get_pretrained_saes_directory
from sae_lens.registry import (
    SAE_CLASS_REGISTRY,
    SAE_TRAINING_CLASS_REGISTRY,
    get_sae_class,
    get_sae_training_class,
)
from sae_lens.saes.sae import SAE, SAEMetadata
from safetensors.torch import save_file

from csae_bench.errors import SaeError
from csae_bench.runs.plan import plan_sae
from csae_bench.runs.request import RunRequest
from csae_bench.runs.resolving import resolve_sae
from csae_bench.saes import architectures, register
from csae_bench.saes.kinds import pretrained_refusal
from csae_bench.saes.loading import load_sae
from csae_bench.saes.pretrained import check_listed

D_IN, D_SAE = 128, 32
METADATA = {
    "model_name": "tiny-gemma2-it",
    "hook_name": "blocks.2.ln2.hook_normalized",
    "hook_name_out": "blocks.2.hook_mlp_out",
}

Make = Callable[[], SAE[Any]]


def transcoder(sae_class: type[SAE[Any]], config_class: Any, d_out: int = D_IN) -> Make:
    def make() -> SAE[Any]:
        return sae_class(
            config_class(
                d_in=D_IN,
                d_sae=D_SAE,
                d_out=d_out,
                apply_b_dec_to_input=False,
                metadata=SAEMetadata(**METADATA),
            )
        )

    return make


def temporal() -> SAE[Any]:
    names = {"model_name": "tiny-gemma2-it", "hook_name": "blocks.2.hook_resid_post"}
    return TemporalSAE(
        TemporalSAEConfig(
            d_in=D_IN, d_sae=D_SAE, n_heads=2, bottleneck_factor=8, metadata=SAEMetadata(**names)
        )
    )


KINDS: dict[str, tuple[Make, str]] = {
    "transcoder": (transcoder(Transcoder, TranscoderConfig), "transcoder, whose output belongs"),
    "of another width": (transcoder(Transcoder, TranscoderConfig, 64), "d_out is 64 and d_in is"),
    "skip": (transcoder(SkipTranscoder, SkipTranscoderConfig), "'skip_transcoder'"),
    "jumprelu": (transcoder(JumpReLUTranscoder, JumpReLUTranscoderConfig), "'jumprelu_transcoder'"),
    "jumprelu skip": (
        transcoder(JumpReLUSkipTranscoder, JumpReLUSkipTranscoderConfig),
        "'jumprelu_skip_transcoder'",
    ),
    "temporal": (temporal, "temporal SAE, whose codes depend on the tokens before"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_sae_that_cannot_be_judged_is_refused_as_folder_and_as_object(
    kind: str, tmp_path: Path
) -> None:
    make, reason = KINDS[kind]
    sae = make()
    sae.save_model(tmp_path / "sae")
    for source in (sae, tmp_path / "sae"):
        with pytest.raises(SaeError, match=reason):
            load_sae(source)
    request = RunRequest(source=str(tmp_path / "sae"), results=tmp_path / "results")
    with pytest.raises(SaeError, match=reason):
        resolve_sae(request)
    assert reason in " ".join(check.message for check in plan_sae(request).checks)


def test_the_tables_name_what_saelens_has() -> None:
    """When this fails, SAELens has a new architecture: add it, or refuse it in saes/kinds.py."""
    register()
    refused = {name for name in SAE_CLASS_REGISTRY if "transcoder" in name} | {"temporal"}
    assert {*architectures.INFERENCE} == {*SAE_CLASS_REGISTRY} - refused
    assert {*architectures.TRAINING} == {*SAE_TRAINING_CLASS_REGISTRY}


@pytest.mark.parametrize("name", architectures.INFERENCE)
def test_an_architecture_has_the_tensors_of_the_table(name: str) -> None:
    register()
    sae_class, config_class = get_sae_class(name)
    sae = sae_class(config_class(d_in=8, d_sae=24))
    sizes = {"d_in": 8, "d_sae": 24}
    expected = {
        tensor: tuple(sizes[size] for size in shape)
        for tensor, shape in architectures.INFERENCE[name].items()
    }
    assert {tensor: tuple(value.shape) for tensor, value in sae.state_dict().items()} == expected


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", sorted(architectures.TRAINING))
def test_a_training_form_has_the_tensors_of_the_table(name: str, tmp_path: Path) -> None:
    register()
    sae_class, config_class = get_sae_training_class(name)
    fields: dict[str, Any] = {"k": 4} if "topk" in name else {}
    fields |= {"matryoshka_widths": [6, 24]} if "matryoshka" in name else {}
    sae_class(config_class(d_in=8, d_sae=24, **fields)).save_model(tmp_path)
    assert load_sae(tmp_path).cfg.d_sae == 24


RELEASES = {
    "gemma-scope-2b-pt-transcoders": "transcoder",
    "mwhanna-qwen3-4b-transcoders": "transcoder",
    "mntss-gemma-2-2b-2.5m-clt-as-per-layer": "transcoder",
    "gemma-scope-2-1b-pt-transcoders": "transcoder",
    "temporal-sae-gemma-2-2b": "temporal",
}


@pytest.mark.parametrize("release", RELEASES)
def test_a_pretrained_sae_that_cannot_be_judged_is_refused_before_anything_is_fetched(
    release: str, tmp_path: Path
) -> None:
    sae_id = next(iter(get_pretrained_saes_directory()[release].saes_map))
    name = f"{release}:{sae_id}"
    with pytest.raises(SaeError, match=f"it is a {RELEASES[release]}"):
        load_sae(name)
    (check,) = plan_sae(RunRequest(source=name, results=tmp_path)).checks
    assert check.outcome == "problem"
    assert f"it is a {RELEASES[release]}" in check.message


def test_no_pretrained_sae_that_reconstructs_its_input_is_refused_by_its_name() -> None:
    refused: set[str] = set()
    for release, entry in get_pretrained_saes_directory().items():
        for folder in entry.saes_map.values():
            if pretrained_refusal(entry.conversion_func, folder):
                refused.add(release)
    marks = ("transcoder", "temporal", "clt", "crosscoder")
    assert refused
    assert all(any(mark in release for mark in marks) for release in refused), refused
    named = {r for r in get_pretrained_saes_directory() if any(mark in r for mark in marks)}
    assert named == refused


def test_a_pretrained_sae_is_refused_by_the_cfg_that_was_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fetched(*_: Any, **__: Any) -> dict[str, Any]:
        return {"architecture": "standard", "d_in": 8, "metadata": METADATA}

    monkeypatch.setattr("csae_bench.saes.pretrained.load_sae_config_from_huggingface", fetched)
    with pytest.raises(SaeError, match=r"someone/saes:layer_3: hook_name_out is"):
        load_sae("someone/saes:layer_3")


def test_a_pretrained_sae_is_refused_by_the_cfg_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cfg.json"
    path.write_text('{"architecture": "skip_transcoder"}')
    monkeypatch.setattr("csae_bench.saes.pretrained.try_to_load_from_cache", lambda *_: str(path))
    with pytest.raises(SaeError, match="'skip_transcoder': it is a transcoder"):
        check_listed("someone/saes", "layer_3")


def test_saelens_itself_cannot_convert_a_folder_of_sparsify(tmp_path: Path) -> None:
    """When this fails, saes/foreign/sparsify.py may use SAELens's converter."""
    folder = tmp_path / "layers.2"
    folder.mkdir()
    (folder / "cfg.json").write_text('{"d_in": 8, "num_latents": 16, "k": 4}')
    save_file(
        {
            "encoder.weight": torch.zeros(16, 8),
            "encoder.bias": torch.zeros(16),
            "W_dec": torch.zeros(16, 8),
            "b_dec": torch.zeros(8),
        },
        folder / "sae.safetensors",
    )
    with pytest.raises(RuntimeError, match="size mismatch for W_dec"):
        SAE.load_from_disk(folder, converter=sparsify_disk_loader)
