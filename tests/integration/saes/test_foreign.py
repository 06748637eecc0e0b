"""SAEs of other libraries: equal codes to their formulas, and what keeps them from loading."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from csae_bench.errors import SaeError
from csae_bench.saes.attributes import metadata
from csae_bench.saes.export import export
from csae_bench.saes.foreign import FORMS
from csae_bench.saes.foreign.arrays import ACTIVATIONS
from csae_bench.saes.foreign.dictionary_learning import CLASSES
from csae_bench.saes.hashing import weights_hash
from csae_bench.saes.loading import load_sae, training_architecture
from tests.integration.saes import foreign_formulas
from tests.sae_folders import (
    ABSENT,
    ARRAY_VALUES,
    D_IN,
    D_SAE,
    DICT_CLASSES,
    FOREIGN_WRITERS,
    HOOK,
    MODEL,
    K,
    dictionary_weights,
    random_weights,
    sparsify_weights,
    write_arrays,
    write_dictionary,
    write_sparsify,
)

ROUNDING = {"rtol": 1e-5, "atol": 5e-6}
"""Sums of 128 terms in another order and norms that are folded; values are up to 30."""


@pytest.fixture(scope="module")
def acts() -> Tensor:
    return 2 * torch.randn(200, D_IN, generator=torch.Generator().manual_seed(5))


def tensors(arrays: dict[str, Any]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}


def check_decodes(sae: Any, acts: Tensor, weights: Tensor, bias: Tensor) -> None:
    """The decoder may have other norms, and the codes the inverse ones."""
    codes = sae.encode(acts)
    torch.testing.assert_close(sae.decode(codes), codes @ weights + bias, **ROUNDING)


# ---- every form


def test_each_form_of_the_table_has_a_writer_here() -> None:
    assert set(FOREIGN_WRITERS) == {form.name for form in FORMS}
    assert set(DICT_CLASSES) == set(CLASSES) == set(foreign_formulas.DICTIONARY_LEARNING)
    assert set(ARRAY_VALUES) == set(ACTIVATIONS)


@pytest.mark.parametrize("form", FOREIGN_WRITERS)
def test_a_loaded_sae_says_where_it_is_from(form: str, tmp_path: Path) -> None:
    sae = load_sae(FOREIGN_WRITERS[form](tmp_path / "sae"))
    assert metadata(sae, "converted_from") == form
    assert metadata(sae, "hook_name") == HOOK
    assert metadata(sae, "model_name") == MODEL


@pytest.mark.parametrize("form", FOREIGN_WRITERS)
def test_an_exported_sae_has_the_same_codes_and_is_saelens_own(
    form: str, acts: Tensor, tmp_path: Path
) -> None:
    place = FOREIGN_WRITERS[form](tmp_path / "sae")
    exported = export(place, tmp_path / "to")
    assert sorted(path.name for path in exported.iterdir()) == [
        "cfg.json", "sae_weights.safetensors",
    ]  # fmt: skip
    assert torch.equal(load_sae(exported).encode(acts), load_sae(place).encode(acts))


@pytest.mark.parametrize("form", FOREIGN_WRITERS)
def test_a_byte_more_in_any_of_its_files_changes_the_hash(form: str, tmp_path: Path) -> None:
    place = FOREIGN_WRITERS[form](tmp_path / "sae")
    files = [place] if place.is_file() else [path for path in place.iterdir() if path.is_file()]
    for path in files:
        before, content = weights_hash(place), path.read_bytes()
        path.write_bytes(content + b" ")
        assert weights_hash(place) != before, path
        path.write_bytes(content)
        assert weights_hash(place) == before


@pytest.mark.parametrize("form", FOREIGN_WRITERS)
@pytest.mark.parametrize("n_bytes", [0, 40, -200])
def test_a_truncated_file_is_refused(form: str, n_bytes: int, tmp_path: Path) -> None:
    place = FOREIGN_WRITERS[form](tmp_path / "sae")
    weights = place if place.is_file() else max(place.iterdir(), key=lambda p: p.stat().st_size)
    weights.write_bytes(weights.read_bytes()[: n_bytes or None] if n_bytes else b"")
    with pytest.raises(SaeError, match=rf"{weights.name}.*(damaged|no safetensors)"):
        load_sae(place)


@pytest.mark.parametrize("form", FOREIGN_WRITERS)
def test_bytes_changed_anywhere_in_the_weights_are_an_error_or_other_numbers(
    form: str, tmp_path: Path
) -> None:
    place = FOREIGN_WRITERS[form](tmp_path / "sae")
    weights = place if place.is_file() else max(place.iterdir(), key=lambda p: p.stat().st_size)
    content, rng = weights.read_bytes(), np.random.default_rng(0)
    # headers and pickles lie at the ends
    places = [*range(0, 1200, 9), *rng.integers(0, len(content), 20), *range(-2000, 0, 17)]
    refused: list[str] = []
    for at in places:
        changed = bytearray(content)
        changed[at] ^= int(rng.integers(1, 256))
        weights.write_bytes(changed)
        try:
            load_sae(place)
        except SaeError as error:
            refused.append(str(error))
    assert len(refused) > 30
    assert all(str(place) in message for message in refused)


# ---- sparsify


@pytest.mark.parametrize(
    ("signed", "formula", "trained_as"),
    [
        (False, foreign_formulas.sparsify, "topk"),
        (True, foreign_formulas.sparsify_signed, "abstopk"),
    ],
)
def test_codes_of_sparsify_are_those_of_its_formula(
    signed: bool,
    formula: Callable[..., Tensor],
    trained_as: str,
    acts: Tensor,
    tmp_path: Path,
) -> None:
    sae = load_sae(write_sparsify(tmp_path / "layers.2", signed=signed))
    state = tensors(sparsify_weights())
    expected = formula(acts, state, K)
    torch.testing.assert_close(sae.encode(acts), expected, **ROUNDING)
    assert bool((expected < 0).any()) is signed
    assert training_architecture(sae) == trained_as
    check_decodes(sae, acts, state["W_dec"], state["b_dec"])


def test_a_decoder_of_sparsify_without_unit_norms_keeps_its_codes(
    acts: Tensor, tmp_path: Path
) -> None:
    decoder = 3 * sparsify_weights()["W_dec"]
    folder = write_sparsify(tmp_path / "sae", normalize_decoder=False, tensors={"W_dec": decoder})
    sae = load_sae(folder)
    expected = foreign_formulas.sparsify(acts, tensors(sparsify_weights()), K)
    torch.testing.assert_close(sae.encode(acts), expected, **ROUNDING)
    assert torch.equal(sae.W_dec, torch.from_numpy(decoder))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_the_type_of_the_weights_is_kept(dtype: torch.dtype, tmp_path: Path) -> None:
    folder = write_sparsify(tmp_path / "sae")
    weights = {name: one.to(dtype) for name, one in tensors(sparsify_weights()).items()}
    save_file(weights, folder / "sae.safetensors")
    sae = load_sae(folder)
    assert sae.W_dec.dtype == dtype
    assert torch.equal(sae.W_enc, weights["encoder.weight"].T)
    assert load_sae(folder, dtype=torch.float32).W_dec.dtype == torch.float32


# ---- dictionary_learning


@pytest.mark.parametrize("dict_class", DICT_CLASSES)
def test_codes_of_dictionary_learning_are_those_of_its_formula(
    dict_class: str, acts: Tensor, tmp_path: Path
) -> None:
    sae = load_sae(write_dictionary(tmp_path / "sae", dict_class))
    expected = foreign_formulas.DICTIONARY_LEARNING[dict_class](
        acts, tensors(dictionary_weights(dict_class))
    )
    assert 0 < float((expected != 0).float().mean()) < 1
    torch.testing.assert_close(sae.encode(acts), expected, **ROUNDING)
    assert training_architecture(sae) == CLASSES[dict_class].trained_as
    ours = tensors(random_weights())
    check_decodes(sae, acts, ours["W_dec"], ours["b_dec"])


@pytest.mark.parametrize("dict_class", ["AutoEncoder", "AutoEncoderNew"])
def test_decoders_of_other_norms_are_normalised_as_the_library_does(
    dict_class: str, acts: Tensor, tmp_path: Path
) -> None:
    scales = np.linspace(0.5, 3, D_SAE, dtype=np.float32)
    decoder = dictionary_weights(dict_class)["decoder.weight"] * scales
    sae = load_sae(
        write_dictionary(tmp_path / "sae", dict_class, state={"decoder.weight": decoder})
    )
    state = tensors({**dictionary_weights(dict_class), "decoder.weight": decoder})
    expected = foreign_formulas.DICTIONARY_LEARNING[dict_class](acts, state)
    torch.testing.assert_close(sae.encode(acts), expected, **ROUNDING)
    torch.testing.assert_close(sae.W_dec.norm(dim=1), torch.ones(D_SAE))


def test_a_threshold_that_was_never_set_lets_all_through_as_in_the_library(
    acts: Tensor, tmp_path: Path
) -> None:
    state = {"threshold": np.float32(-1)}
    sae = load_sae(write_dictionary(tmp_path / "sae", "BatchTopKSAE", state=state))
    weights = tensors({**dictionary_weights("BatchTopKSAE"), **state})
    torch.testing.assert_close(
        sae.encode(acts), foreign_formulas.batch_top_k(acts, weights), **ROUNDING
    )


class Writes:
    """An object whose unpickling writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.path, "code ran")


def test_a_pickle_with_code_is_refused_and_does_not_run(tmp_path: Path) -> None:
    written = tmp_path / "written"
    folder = write_dictionary(tmp_path / "sae")
    state = {**tensors(dictionary_weights("AutoEncoderTopK")), "b_dec": Writes(written)}
    torch.save(state, folder / "ae.pt")
    with pytest.raises(SaeError, match=r"ae\.pt holds more than tensors.*runs no code"):
        load_sae(folder)
    assert not written.exists()
    torch.load(folder / "ae.pt", weights_only=False)  # it would have
    assert written.exists()


def test_a_plain_pickle_is_not_opened(tmp_path: Path) -> None:
    written = tmp_path / "written"
    folder = write_dictionary(tmp_path / "sae")
    (folder / "ae.pt").write_bytes(pickle.dumps(Writes(written)))
    with pytest.raises(SaeError, match=r"ae\.pt is damaged, or no file of torch\.save"):
        load_sae(folder)
    assert not written.exists()


@pytest.mark.parametrize(
    ("state", "pattern"),
    [
        ({"b_dec": ABSENT}, r"ae\.pt: weights do not fit config\.json: Missing key\(s\) b_dec"),
        ({"extra": np.zeros(2)}, r"Unexpected key\(s\) extra"),
        (
            {"encoder.weight": np.zeros((D_IN, D_SAE), np.float32)},
            r"size mismatch for encoder\.weight, which is \[128, 32\] and must be \[32, 128\] by "
            r"d_sae=32, d_in=128 \(it is transposed\)",
        ),
        ({"b_dec": np.zeros(D_IN, np.int64)}, "b_dec holds int64; it must hold one of F32"),
        ({"b_dec": np.full(D_IN, np.nan, np.float32)}, r"not finite: b_dec \(128"),
        ({"k": np.int32(9)}, r"its k is 9, and trainer\.k of config\.json is 4"),
    ],
)  # fmt: skip
def test_a_state_that_does_not_fit_is_refused(
    state: dict[str, Any], pattern: str, tmp_path: Path
) -> None:
    with pytest.raises(SaeError, match=pattern):
        load_sae(write_dictionary(tmp_path / "sae", state=state))


def test_a_file_larger_than_its_sizes_is_not_read(tmp_path: Path) -> None:
    folder = write_dictionary(tmp_path / "sae", state={"extra": np.zeros(2**19, np.float32)})
    with pytest.raises(SaeError, match=r"ae\.pt holds 2\.0 MiB; an SAE of these sizes has at most"):
        load_sae(folder)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_weights_of_another_type_become_float32_as_in_the_library(
    dtype: torch.dtype, tmp_path: Path
) -> None:
    state = {
        name: tensor.to(dtype) if tensor.is_floating_point() else tensor
        for name, tensor in tensors(dictionary_weights("AutoEncoderTopK")).items()
    }
    sae = load_sae(write_dictionary(tmp_path / "sae", state=state))
    assert sae.W_dec.dtype == torch.float32
    assert torch.equal(sae.b_dec, state["b_dec"].float())


# ---- bare arrays


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize("activation", ARRAY_VALUES)
def test_codes_of_bare_arrays_are_those_of_their_activation(
    activation: str, suffix: str, acts: Tensor, tmp_path: Path
) -> None:
    sae = load_sae(write_arrays(tmp_path / f"sae{suffix}", activation))
    state = tensors(random_weights())
    expected = foreign_formulas.arrays(acts, state, activation, K, 0.5)
    torch.testing.assert_close(sae.encode(acts), expected, **ROUNDING)
    assert training_architecture(sae) == {"relu": "standard"}.get(activation, activation)
    check_decodes(sae, acts, state["W_dec"], state["b_dec"])


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize("threshold", [np.linspace(0, 2, D_SAE, dtype=np.float32), 0.7])
def test_a_threshold_is_one_number_or_one_for_each_latent(
    threshold: Any, suffix: str, acts: Tensor, tmp_path: Path
) -> None:
    path = write_arrays(tmp_path / f"sae{suffix}", "jumprelu", threshold=threshold)
    state = tensors(random_weights())
    expected = foreign_formulas.arrays(acts, state, "jumprelu", 0, torch.tensor(threshold))
    torch.testing.assert_close(load_sae(path).encode(acts), expected, **ROUNDING)


def test_the_decoder_bias_is_subtracted_unless_the_file_says_otherwise(
    acts: Tensor, tmp_path: Path
) -> None:
    state = tensors(random_weights())
    for suffix, flag in ((".npz", False), (".safetensors", "false")):
        path = write_arrays(tmp_path / f"sae{suffix}", apply_b_dec_to_input=flag)
        expected = torch.relu(acts @ state["W_enc"] + state["b_enc"])
        torch.testing.assert_close(load_sae(path).encode(acts), expected, **ROUNDING)


@pytest.mark.parametrize("order", [">f4", "<f8", "<f2"])
def test_numbers_of_another_type_or_order_are_read(order: str, tmp_path: Path) -> None:
    weights = {name: array.astype(order) for name, array in random_weights().items()}
    sae = load_sae(write_arrays(tmp_path / "sae.npz", "topk", **weights))
    native = weights["W_enc"].astype(np.dtype(order).newbyteorder("="))
    assert torch.equal(sae.W_enc, torch.from_numpy(native))


def test_a_folder_with_one_file_is_that_file(acts: Tensor, tmp_path: Path) -> None:
    path = write_arrays(tmp_path / "sae" / "weights.npz")
    assert torch.equal(load_sae(path).encode(acts), load_sae(path.parent).encode(acts))
    assert weights_hash(path) == weights_hash(path.parent)


def test_an_npz_of_objects_is_refused_and_nothing_in_it_runs(tmp_path: Path) -> None:
    written = tmp_path / "written"
    path = write_arrays(tmp_path / "sae.npz", b_dec=np.array([Writes(written)] * D_IN))
    with pytest.raises(SaeError, match="'b_dec' holds Python objects, which are pickled"):
        load_sae(path)
    assert not written.exists()


def test_bare_arrays_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    path = write_arrays(tmp_path / "sae.npz", b_enc=np.full(D_SAE, np.inf, np.float32))
    with pytest.raises(SaeError, match=r"not finite: b_enc \(32 of"):
        load_sae(path)


def test_square_matrices_load_if_their_axes_are_named(tmp_path: Path) -> None:
    square = random_weights(d_in=D_IN, d_sae=D_IN)
    path = write_arrays(tmp_path / "sae.npz", **square, encoder_axes="d_in d_sae")
    assert load_sae(path).W_enc.shape == (D_IN, D_IN)
