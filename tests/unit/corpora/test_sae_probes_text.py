"""Documents of the datasets that sae-probes ships, on a package of made-up ones."""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path

import pytest

from csae_bench.corpora import corpus_fingerprint, corpus_status, open_corpus
from csae_bench.corpora.sae_probes_sources import PROBING_DATASETS, sources
from csae_bench.corpora.sae_probes_text import (
    document_key,
    documents,
    is_english_prose,
)
from csae_bench.errors import DataError, UsageError
from tests.unit.corpora.sae_probes_package import install, prose, write_dataset

NEWS, OTHER_NEWS = "97_news_class", "100_news_fake"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return install(tmp_path, monkeypatch)


def _all() -> list[str]:
    return [text for split in documents() for text in split]


def test_every_document_is_in_one_split() -> None:
    sae, core = map(set, documents())
    assert sae
    assert core
    assert not sae & core


def test_all_texts_of_the_datasets_are_documents(folder: Path) -> None:
    assert set(_all()) == {
        prose(f"w{number}x{i}") for number in range(len(sources())) for i in range(4)
    }


def test_the_share_of_core_is_that_of_the_hash(folder: Path) -> None:
    write_dataset(folder, NEWS, [prose(f"n{i}") for i in range(4000)], [0] * 4000)
    sae, core = documents()
    # 4,000 draws of 5%: a standard deviation of 14 documents
    assert len(core) == pytest.approx(0.05 * (len(sae) + len(core)), abs=56)


def test_a_text_that_several_datasets_have_is_one_document(folder: Path) -> None:
    text = prose("twice")
    write_dataset(folder, NEWS, [text, text, f"  {text.upper()}\n"], [0, 1, 2])
    write_dataset(folder, OTHER_NEWS, [text.replace(" ", "\n ")], [0])
    assert [each for each in _all() if "twice" in each.casefold()] == [text]


def test_texts_that_begin_with_the_same_40_words_are_one_document(folder: Path) -> None:
    begin = prose("long", 40)
    write_dataset(folder, NEWS, [f"{begin} first", f"{begin} second"], [0, 0])
    assert len([each for each in _all() if "long" in each]) == 1
    assert document_key(f"{begin} a") == document_key(f"{begin} b")
    assert document_key("one two") != document_key("one three")


@pytest.mark.parametrize("name", PROBING_DATASETS)
def test_a_text_of_a_probing_dataset_is_in_no_split(folder: Path, name: str) -> None:
    text = prose("probed")
    write_dataset(folder, NEWS, [text, prose("other")], [0, 1])
    write_dataset(folder, name, [f"{text.upper()} "], [1])
    assert not [each for each in _all() if "probed" in each]
    assert prose("other") in _all()


def test_only_the_class_with_prose_is_read(folder: Path) -> None:
    texts = [prose("code"), prose("news")]
    write_dataset(folder, "161_agnews_0", texts, [0, 1])
    kept = _all()
    assert texts[1] in kept
    assert texts[0] not in kept


def test_line_ends_that_are_written_out_become_line_ends(folder: Path) -> None:
    write_dataset(folder, "111_yelp_data", [prose("eat") + "\\n\\nI was back."], [0])
    assert prose("eat") + "\n\nI was back." in _all()


def test_cells_that_are_no_text_are_passed_over(folder: Path) -> None:
    write_dataset(folder, NEWS, [prose("cell"), "", "NA", "17"], [0, 0, 0, 0])
    assert [each for each in _all() if "cell" in each or "w0x" in each] == [prose("cell")]


@pytest.mark.parametrize(
    ("text", "is_prose"),
    [
        (prose("house"), True),
        (prose("house", 25), False),  # too short
        (" ".join(f"Name{i}, Surname{i};" for i in range(60)), False),
        (" ".join(f"x{i} = f(y[{i}]);" for i in range(60)), False),
        (" ".join(["das Haus war in der Stadt und nicht weit von dem Fluss"] * 6), False),
        ("", False),
    ],
)
def test_code_lists_short_texts_and_other_languages_are_no_english_prose(
    text: str, is_prose: bool
) -> None:
    assert is_english_prose(text) is is_prose


def test_each_seed_has_another_order_of_the_same_documents(folder: Path) -> None:
    orders = [[row["text"] for row in open_corpus("sae_probes", split="sae", seed=s)]
              for s in (0, 0, 1)]  # fmt: skip
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2]) == sorted(documents().sae)


def test_the_first_documents_are_of_many_datasets(folder: Path) -> None:
    first = [row["text"] for row in islice(open_corpus("sae_probes", split="sae"), 30)]
    numbers = {text.split()[1].removeprefix("w").partition("x")[0] for text in first}
    # 30 draws without replacement of 4 documents each of 30 datasets: 19 on average
    assert len(numbers) >= 12


def test_status_says_how_much_there_is(folder: Path) -> None:
    sae, core = documents()
    outcome, message = corpus_status("sae_probes")
    assert outcome == "ok"
    assert f": {len(sae)} documents of " in message
    assert message.endswith(f", {len(core)} of {sum(map(len, core)) / 1e6:.1f} million for core")


def test_fingerprint_changes_with_a_file_of_the_corpus_or_of_probing(folder: Path) -> None:
    seen = {corpus_fingerprint("sae_probes", split) for split in ("sae", "core")}
    write_dataset(folder, NEWS, [prose("new")], [0])
    seen.add(corpus_fingerprint("sae_probes", "sae"))
    write_dataset(folder, PROBING_DATASETS[0], ["a name"], [0])
    seen.add(corpus_fingerprint("sae_probes", "sae"))
    (folder / "87_glue_cola.csv.zst").write_bytes(b"of neither")
    assert corpus_fingerprint("sae_probes", "sae") in seen
    assert len(seen) == 4


def test_a_changed_file_is_read_again(folder: Path) -> None:
    assert prose("new") not in _all()
    write_dataset(folder, NEWS, [prose("new")], [0])
    assert prose("new") in _all()


def _assert_problem(error: type[Exception], message: str) -> None:
    with pytest.raises(error) as raised:
        open_corpus("sae_probes", split="sae")
    assert message in str(raised.value)
    assert corpus_status("sae_probes") == ("problem", f"dataset 'sae_probes': {raised.value}")
    assert corpus_fingerprint("sae_probes", "sae")


def test_a_missing_package_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sae_probes", None)
    _assert_problem(UsageError, "sae-probes is not installed; `pip install sae-probes` brings it.")


def test_a_missing_dataset_is_an_error_that_names_the_file(folder: Path) -> None:
    (folder / f"{NEWS}.csv.zst").unlink()
    _assert_problem(DataError, f"{NEWS}.csv.zst: there is no such file. Install sae-probes again")


@pytest.mark.parametrize("content", [b"", b"prompt,target\nx,1\n", b"\x28\xb5\x2f\xfd broken"])
def test_a_broken_dataset_is_an_error_that_names_the_file(folder: Path, content: bytes) -> None:
    (folder / f"{NEWS}.csv.zst").write_bytes(content)
    _assert_problem(DataError, f"{NEWS}.csv.zst: cannot be read as zstd-compressed CSV: ")


def test_a_dataset_without_prompts_is_an_error_that_names_the_file(folder: Path) -> None:
    import pandas

    path = folder / f"{NEWS}.csv.zst"
    pandas.DataFrame({"text": ["x"]}).to_csv(path, index=False, compression="zstd")
    _assert_problem(DataError, "there is no column prompt or target")
