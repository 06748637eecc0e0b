"""Codes against the libraries themselves, where they are installed.

    make test-real

Their modules are imported without what their packages import: trainers, nnsight, a GPU's kernels.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from csae_bench.saes.loading import load_sae
from tests.sae_folders import (
    D_IN,
    D_SAE,
    DICT_CLASSES,
    K,
    write_arrays,
    write_dictionary,
    write_json,
    write_sparsify,
)

pytestmark = pytest.mark.real

ROUNDING = {"rtol": 1e-5, "atol": 5e-6}
MODULE_OF = {
    "AutoEncoderTopK": "dictionary_learning.trainers.top_k",
    "BatchTopKSAE": "dictionary_learning.trainers.batch_top_k",
    "MatryoshkaBatchTopKSAE": "dictionary_learning.trainers.matryoshka_batch_top_k",
}
"""Others are in dictionary_learning.dictionary."""

Import = Callable[[str], Any]


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Iterator[Import]:
    """Imports a module of an installed package without running the package's __init__."""

    def load(name: str) -> Any:
        package, *inner = name.split(".")[:-1]
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            pytest.skip(f"the package of {package} is not installed")
        (folder,) = spec.submodule_search_locations
        for depth in range(len(inner) + 1):
            shell = types.ModuleType(".".join([package, *inner[:depth]]))
            shell.__path__ = [str(Path(folder, *inner[:depth]))]
            monkeypatch.setitem(sys.modules, shell.__name__, shell)
        return importlib.import_module(name)

    before = set(sys.modules)
    yield load
    for name in set(sys.modules) - before:
        if name.split(".")[0] in ("sparsify", "dictionary_learning"):
            del sys.modules[name]


@pytest.fixture
def acts() -> Tensor:
    return 2 * torch.randn(200, D_IN, generator=torch.Generator().manual_seed(5))


def dense(encoded: Any) -> Tensor:
    codes = torch.zeros(len(encoded.top_acts), D_SAE, dtype=encoded.top_acts.dtype)
    return codes.scatter(1, encoded.top_indices, encoded.top_acts)


def test_sparsify_has_the_same_codes_of_a_folder(
    module: Import, acts: Tensor, tmp_path: Path
) -> None:
    coder = module("sparsify.sparse_coder").SparseCoder
    folder = write_sparsify(tmp_path / "layers.2")
    theirs = coder.load_from_disk(folder)
    ours = load_sae(folder)
    with torch.no_grad():
        expected = dense(theirs.encode(acts))
        torch.testing.assert_close(ours.encode(acts), expected, **ROUNDING)
        decoded = expected @ theirs.W_dec + theirs.b_dec
        torch.testing.assert_close(ours.decode(ours.encode(acts)), decoded, **ROUNDING)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_sparsify_saves_is_read(
    dtype: torch.dtype, module: Import, acts: Tensor, tmp_path: Path
) -> None:
    library = module("sparsify.sparse_coder")
    config = library.SparseCoderConfig(expansion_factor=2, k=K)
    theirs = library.SparseCoder(D_IN, config, dtype=dtype)
    theirs.b_dec.data += 0.1
    theirs.save_to_disk(tmp_path / "layers.2")
    ours = load_sae(tmp_path / "layers.2")
    assert ours.W_dec.dtype == dtype
    assert torch.equal(ours.W_dec, theirs.W_dec)
    assert torch.equal(ours.W_enc.T, theirs.encoder.weight)
    assert torch.equal(ours.b_dec, theirs.b_dec)


@pytest.mark.parametrize("dict_class", DICT_CLASSES)
def test_dictionary_learning_has_the_same_codes_of_a_folder(
    dict_class: str, module: Import, acts: Tensor, tmp_path: Path
) -> None:
    library = module(MODULE_OF.get(dict_class, "dictionary_learning.dictionary"))
    folder = write_dictionary(tmp_path / "sae", dict_class)
    theirs = getattr(library, dict_class).from_pretrained(folder / "ae.pt")
    ours = load_sae(folder)
    with torch.no_grad():
        expected = theirs.encode(acts)
        torch.testing.assert_close(ours.encode(acts), expected, **ROUNDING)
        torch.testing.assert_close(ours(acts), theirs.decode(expected), **ROUNDING)


@pytest.mark.parametrize("dict_class", DICT_CLASSES)
def test_a_scaling_is_folded_before_dictionary_learning_saves(
    dict_class: str, module: Import, acts: Tensor, tmp_path: Path
) -> None:
    """`trainSAE` with normalize_activations: scale_biases(norm_factor), then the state_dict."""
    if dict_class == "AutoEncoderNew":
        pytest.skip("it has no scale_biases, so the library cannot train it so")
    library = module(MODULE_OF.get(dict_class, "dictionary_learning.dictionary"))
    folder = write_dictionary(tmp_path / "sae", dict_class)
    theirs = getattr(library, dict_class).from_pretrained(folder / "ae.pt")
    with torch.no_grad():
        in_training = theirs.encode(acts / 3)
        theirs.scale_biases(3.0)
    torch.save(theirs.state_dict(), folder / "ae.pt")
    torch.testing.assert_close(load_sae(folder).encode(acts) / 3, in_training, **ROUNDING)


def test_the_trainers_write_the_keys_that_are_read(module: Import, tmp_path: Path) -> None:
    library = module("dictionary_learning.trainers.batch_top_k")
    trainer = library.BatchTopKTrainer(
        steps=10, activation_dim=D_IN, dict_size=D_SAE, k=K, layer=1, lm_name="tiny-gemma2-it",
        warmup_steps=1, device="cpu", submodule_name="resid_post_layer_1",
    )  # fmt: skip
    write_json(tmp_path / "sae" / "config.json", {"trainer": trainer.config})
    torch.save(trainer.ae.state_dict(), tmp_path / "sae" / "ae.pt")
    sae = load_sae(tmp_path / "sae")
    assert sae.cfg.metadata.hook_name == "blocks.1.hook_resid_post"
    assert sae.cfg.metadata.model_name == "tiny-gemma2-it"


def test_arrays_of_a_library_are_the_same_sae(module: Import, acts: Tensor, tmp_path: Path) -> None:
    """Its arrays by our names, with the threshold that it has."""
    library = module(MODULE_OF["BatchTopKSAE"])
    theirs = library.BatchTopKSAE.from_pretrained(
        write_dictionary(tmp_path / "sae", "BatchTopKSAE") / "ae.pt"
    )
    path = write_arrays(
        tmp_path / "sae.npz", "batchtopk", W_enc=theirs.encoder.weight.detach().numpy().T,
        W_dec=theirs.decoder.weight.detach().numpy().T, threshold=float(theirs.threshold),
        b_enc=theirs.encoder.bias.detach().numpy(), b_dec=theirs.b_dec.detach().numpy(),
    )  # fmt: skip
    with torch.no_grad():
        torch.testing.assert_close(load_sae(path).encode(acts), theirs.encode(acts), **ROUNDING)
