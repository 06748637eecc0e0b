"""Whatever a foreign folder or file holds, it is an SAE's description or sentences about it."""

from __future__ import annotations

import json
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csae_bench.errors import SaeError
from csae_bench.saes.checking import check_folder
from csae_bench.saes.foreign import FORMS, foreign_form
from csae_bench.saes.foreign.array_files import read_array_file, read_arrays
from tests.sae_folders import (
    ARRAY_VALUES,
    FOREIGN_WRITERS,
    K,
    write_arrays,
    write_dictionary,
    write_sparsify,
)

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["topk", "AutoEncoder", "BatchTopKSAE", "resid_post_layer_2", 10**400, K]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
SPARSIFY = st.sampled_from(
    ["activation", "expansion_factor", "num_latents", "k", "multi_topk", "signed", "transcode",
     "d_in"]
)  # fmt: skip
TRAINER = st.sampled_from(
    ["trainer_class", "dict_class", "activation_dim", "dict_size", "k", "layer", "lm_name",
     "submodule_name", "norm_factor"]
)  # fmt: skip


@contextmanager
def written(write: Callable[[Path], Path]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield write(Path(folder) / "sae")


def check_told(place: Path) -> None:
    """It is described, or each problem is a sentence."""
    assert foreign_form(place) is not None
    try:
        cfg = check_folder(place)
    except SaeError as error:
        for sentence in str(error).splitlines():
            assert 10 < len(sentence) < 2000
            assert sentence.isprintable()
            assert sentence.endswith(".")
    else:
        json.dumps(cfg, allow_nan=False)


@given(changes=st.dictionaries(SPARSIFY, JSON, max_size=3))
@settings(max_examples=60, deadline=None)
def test_any_settings_of_sparsify(changes: dict[str, Any]) -> None:
    with written(lambda folder: write_sparsify(folder, **changes)) as place:
        check_told(place)


@given(changes=st.dictionaries(TRAINER, JSON, max_size=3), buffer=JSON)
@settings(max_examples=60, deadline=None)
def test_any_settings_of_dictionary_learning(changes: dict[str, Any], buffer: Any) -> None:
    with written(write_dictionary) as place:
        config = json.loads((place / "config.json").read_text())
        config = {"trainer": {**config["trainer"], **changes}, "buffer": buffer}
        (place / "config.json").write_text(json.dumps(config))
        check_told(place)


@given(
    activation=st.sampled_from(sorted(ARRAY_VALUES)) | st.text(max_size=8),
    values=st.dictionaries(
        st.sampled_from(["k", "threshold", "apply_b_dec_to_input", "encoder_axes", "hook_name"]),
        st.integers(-(2**62), 2**62) | st.floats() | st.booleans() | st.text(max_size=8),
        max_size=3,
    ),
    suffix=st.sampled_from([".npz", ".safetensors"]),
)
@settings(max_examples=80, deadline=None)
def test_any_values_beside_bare_arrays(
    activation: str, values: dict[str, Any], suffix: str
) -> None:
    try:
        json.dumps([activation, values]).encode().decode("ascii")
        [str(value).encode() for value in (activation, *values.values())]
    except UnicodeEncodeError:  # a lone surrogate, which neither format can hold
        return
    with written(lambda f: write_arrays(f.with_suffix(suffix), activation, **values)) as place:
        check_told(place)


@pytest.mark.parametrize("form", FOREIGN_WRITERS)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_byte_changed_in_the_head_or_the_tail_of_any_file(
    form: str, data: st.DataObject
) -> None:
    with written(FOREIGN_WRITERS[form]) as place:
        files = [place] if place.is_file() else sorted(p for p in place.iterdir() if p.is_file())
        path = data.draw(st.sampled_from(files))
        content = bytearray(path.read_bytes())
        at = data.draw(st.integers(-700, 400).filter(lambda i: -len(content) <= i < len(content)))
        content[at] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content)
        check_told(place)


def test_arrays_that_python_2_saved_are_read_without_a_warning(tmp_path: Path) -> None:
    path = write_arrays(tmp_path / "sae.npz")
    old = tmp_path / "old.npz"
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(old, "w") as copy:
        for name in archive.namelist():
            copy.writestr(name, re.sub(rb"(\d)([,)]+, }) ", rb"\1L\2", archive.read(name), count=1))
    names = read_array_file(path).arrays
    assert b"L), }" in old.read_bytes()
    assert read_array_file(old) == read_array_file(path)
    for name, tensor in read_arrays(old, names).items():
        assert tensor.equal(read_arrays(path, names)[name])


def test_recognition_reads_no_array_and_opens_no_pickle(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a file of weights is opened")

    for form in FOREIGN_WRITERS:
        with written(FOREIGN_WRITERS[form]) as place, monkeypatch.context() as patch:
            patch.setattr("zipfile.ZipFile", refuse)
            patch.setattr("csae_bench.saes.weights_file.safe_open", refuse)
            recognised = foreign_form(place)
            assert recognised is not None
            assert recognised.name == form


def test_each_form_says_where_its_hook_and_model_stand() -> None:
    for form in FORMS:
        assert {*form.says} == {"hook_name", "model_name"}
