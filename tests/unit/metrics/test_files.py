"""Codes and factors from files; whatever is wrong with one is a sentence that names it."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch
from scipy import sparse

from csae_bench.errors import DataError
from csae_bench.metrics.files import read_codes, read_factors, read_samples

CODES = np.array([[0.0, 1.5, 0], [2, 0, 0]], np.float32)


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def npz(path: Path, **arrays: object) -> Path:
    np.savez(path, **arrays)  # pyright: ignore[reportArgumentType]
    return path


@pytest.mark.parametrize("kind", ["dense", "compressed", "csr", "csc", "coo", "dia"])
def test_codes_are_read_from_npz_dense_and_sparse(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "codes.npz"
    if kind == "dense":
        np.savez(path, codes=CODES)
    elif kind == "compressed":
        np.savez_compressed(path, codes=CODES, other=np.ones(3))
    else:
        sparse.save_npz(path, sparse.coo_array(CODES).asformat(kind))
    np.testing.assert_array_equal(read_codes(path).csc.toarray(), CODES)


def test_codes_are_read_from_safetensors(tmp_path: Path) -> None:
    save_file({"codes": CODES, "acts": CODES}, tmp_path / "a.safetensors")
    np.testing.assert_array_equal(read_codes(tmp_path / "a.safetensors").csc.toarray(), CODES)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float8_e4m3fn])
def test_codes_are_read_in_formats_that_numpy_lacks(dtype: torch.dtype, tmp_path: Path) -> None:
    save_torch({"codes": torch.tensor(CODES).to(dtype)}, tmp_path / "a.safetensors")
    np.testing.assert_array_equal(read_codes(tmp_path / "a.safetensors").csc.toarray(), CODES)


def test_a_suffix_in_capitals_is_one(tmp_path: Path) -> None:
    path = npz(tmp_path / "codes.npz", codes=CODES)
    assert read_codes(path.rename(tmp_path / "CODES.NPZ")).n == 2


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ({"code": CODES}, "no array 'codes'; its arrays are code. Did you mean 'code'?"),
        ({"codes": CODES[0]}, r"shape (3,); they must be [n, d_sae]"),
        ({"codes": CODES[:0]}, "at least one sample"),
        ({"codes": CODES * 1j}, "must be real numbers"),
        ({"codes": np.array(["a"])[None]}, "must be real numbers"),
        ({"codes": np.array([[1, np.nan]])}, "the first at sample 0, latent 1"),
        ({"codes": np.array([[1, {}]], object)}, "cannot be read as .npz: Object arrays"),
        ({"format": b"csr", "shape": [2, 2], "data": [1]}, "cannot be read as a scipy.sparse"),
    ],
)
def test_malformed_codes_are_a_sentence_that_names_the_file(
    arrays: dict[str, object], expected: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError) as error:
        read_codes(npz(tmp_path / "codes.npz", **arrays))
    assert expected in str(error.value)
    assert str(error.value).startswith(f"{tmp_path / 'codes.npz'}: ")


def test_a_sparse_matrix_with_indices_out_of_range_is_an_error(tmp_path: Path) -> None:
    matrix = sparse.csr_matrix(CODES)
    matrix.indices[0] = 99
    sparse.save_npz(tmp_path / "codes.npz", matrix)
    with pytest.raises(DataError, match="cannot be read as a scipy"):
        read_codes(tmp_path / "codes.npz")


@pytest.mark.parametrize("reader", [read_codes, read_factors])
def test_files_that_are_not_there_or_not_readable_are_sentences(
    reader: object, tmp_path: Path
) -> None:
    assert callable(reader)
    (tmp_path / "folder.npz").mkdir()
    written(tmp_path / "text.npz", "not a zip")
    written(tmp_path / "empty.npz", "")
    written(tmp_path / "codes.txt", "1 2 3")
    whole = npz(tmp_path / "whole.npz", codes=np.ones((50, 50)), factors=np.ones((50, 50)))
    (tmp_path / "cut.npz").write_bytes(whole.read_bytes()[:3000])
    with zipfile.ZipFile(tmp_path / "broken.npz", "w") as archive:
        archive.writestr("codes.npy", "x")
        archive.writestr("factors.npy", "x")
    np.save(tmp_path / "single.npy", CODES)
    (tmp_path / "single.npy").rename(tmp_path / "single.npz")
    for name, expected in (
        ("none.npz", "there is no such file"),
        ("folder.npz", "is a folder"),
        ("text.npz", "cannot be read as .npz"),
        ("empty.npz", "cannot be read as .npz"),
        ("cut.npz", "cannot be read as .npz"),
        ("broken.npz", "cannot be read as .npz"),
        ("single.npz", "is a single array; it must be written by numpy.savez"),
        ("codes.txt", "ends in '.txt'"),
    ):
        with pytest.raises(DataError) as error:
            reader(tmp_path / name)
        assert str(error.value).startswith(f"{tmp_path / name}: ")
        assert expected in str(error.value)


def test_malformed_safetensors_are_sentences(tmp_path: Path) -> None:
    written(tmp_path / "a.safetensors", "no")
    with pytest.raises(DataError, match=r"cannot be read as \.safetensors"):
        read_codes(tmp_path / "a.safetensors")
    save_file({"acts": CODES}, tmp_path / "b.safetensors")
    with pytest.raises(DataError, match="no array 'codes'; its arrays are acts"):
        read_codes(tmp_path / "b.safetensors")


def test_factors_are_read_from_csv_with_their_names_and_values(tmp_path: Path) -> None:
    text = "gender, tense\nf,past\nm,present\n\nm, past\n"
    factors = read_factors(written(tmp_path / "f.csv", text.replace("\n\n", "\n")))
    assert factors.names == ("gender", "tense")
    assert factors.value_names == (("f", "m"), ("past", "present"))
    np.testing.assert_array_equal(factors.values, [[0, 0], [1, 1], [1, 0]])


def test_a_csv_of_a_spreadsheet_is_read(tmp_path: Path) -> None:
    text = '\ufeffgender,"a, b"\r\nf,"one ""1"""\r\nm,two\r\n\r\n,\r\n'
    factors = read_factors(written(tmp_path / "f.csv", text))
    assert factors.names == ("gender", "a, b")
    assert factors.value_names[1] == ('one "1"', "two")
    assert factors.n == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ": is empty; its first line must name the factors."),
        ("gender,tense\n", ": has a header and no samples below it."),
        ("gender,\nf,past\n", ", line 1: column 2 has no name"),
        ("gender,gender\nf,past\n", ", line 1: two factors are named 'gender'"),
        ("gender,tense\nf,past\nm\n", ", line 3: has 1 values; the header names 2 factors."),
        ("gender,tense\nf,past\nm,\nf,past", ", line 3: factor 'tense' is empty"),
        ("gender\nf\n\nm\n", ", line 3: has 0 values"),
        ('gender\n"f\n', ": cannot be read as CSV"),
    ],
)
def test_malformed_csv_is_a_sentence_that_names_the_line(
    text: str, expected: str, tmp_path: Path
) -> None:
    path = written(tmp_path / "f.csv", text)
    with pytest.raises(DataError) as error:
        read_factors(path)
    assert str(error.value).startswith(f"{path}{expected}")


def test_csv_that_is_not_text_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_bytes(b"\xff\xfe\x00g")
    with pytest.raises(DataError, match="cannot be read as CSV in UTF-8"):
        read_factors(tmp_path / "f.csv")


def test_factors_are_read_from_npz_with_and_without_names(tmp_path: Path) -> None:
    table = np.array([[0, 5], [1, 5], [1, 7]])
    assert read_factors(npz(tmp_path / "a.npz", factors=table)).names == ("factor_0", "factor_1")
    named = read_factors(npz(tmp_path / "b.npz", factors=table, names=["gender", "tense"]))
    assert named.names == ("gender", "tense")
    assert named.value_names == (("0", "1"), ("5", "7"))
    texts = read_factors(npz(tmp_path / "c.npz", factors=np.array([["f"], ["m"]])))
    assert texts.value_names == (("f", "m"),)


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ({"factor": [[1]]}, "no array 'factors'"),
        ({"factors": [[1, 2]], "names": ["a"]}, "['a'] for 2 factors"),
        ({"factors": [[1, 2]], "names": ["a", "a"]}, "all different"),
        ({"factors": np.zeros((2, 2, 2))}, "they must be [n, n_factors]"),
        ({"factors": np.zeros((0, 2))}, "at least one sample"),
        ({"factors": [[1.0, np.nan]]}, "factor 'factor_1' has no label at sample 0"),
    ],
)
def test_malformed_factors_are_a_sentence_that_names_the_file(
    arrays: dict[str, object], expected: str, tmp_path: Path
) -> None:
    path = npz(tmp_path / "f.npz", **arrays)
    with pytest.raises(DataError) as error:
        read_factors(path)
    assert str(error.value).startswith(f"{path}: ")
    assert expected in str(error.value)


def test_codes_and_factors_of_different_length_name_both_files(tmp_path: Path) -> None:
    codes = npz(tmp_path / "codes.npz", codes=CODES)
    factors = written(tmp_path / "f.csv", "gender\nf\nm\nf\n")
    expected = f"{codes} has 2 samples and {factors} has 3 below its header; row i of both must"
    with pytest.raises(DataError) as error:
        read_samples(codes, factors)
    assert str(error.value).startswith(expected)
