"""The corpus of the installed sae-probes: what it holds, and that no document is in two places."""

from __future__ import annotations

from collections import Counter
from itertools import accumulate

import pytest

from csae_bench.corpora import PROBING_DATASETS, open_corpus
from csae_bench.corpora.probing_files import SUFFIX, package_datasets
from csae_bench.corpora.sae_probes_sources import LEFT_OUT, PARAPHRASES, PROSE, sources
from csae_bench.corpora.sae_probes_text import (
    Documents,
    dataset_paths,
    document_key,
    documents,
    is_english_prose,
    prompts,
)
from csae_bench.engines.sae_probes.data import chosen_files, read_dataset
from csae_bench.paraphrases.labelled import labelled_paraphrases


@pytest.fixture(scope="module")
def texts() -> Documents:
    return documents()


@pytest.fixture(scope="module")
def probed() -> list[str]:
    return [text for path in dataset_paths(PROBING_DATASETS) for text in prompts(path)]


def _normalised(texts: tuple[str, ...] | list[str]) -> list[str]:
    return [" ".join(text.split()).casefold() for text in texts]


def test_every_dataset_of_the_package_has_its_place_once() -> None:
    shipped = [path.name.removesuffix(SUFFIX) for path in package_datasets().glob(f"*{SUFFIX}")]
    left_out = [name for names in LEFT_OUT.values() for name in names]
    named = [source.name for source in sources()] + left_out
    assert Counter([*named, *PROBING_DATASETS, *PARAPHRASES]) == Counter(shipped)


def test_training_core_and_probing_have_no_text_in_common(
    texts: Documents, probed: list[str]
) -> None:
    sae, core, probing = (_normalised(each) for each in (*texts, probed))
    assert len(set(sae)) == len(sae)
    assert len(set(core)) == len(core)
    assert not set(sae) & set(core)
    assert not set(probing) & (set(sae) | set(core))


def test_no_document_of_training_begins_as_one_of_core_or_probing_does(
    texts: Documents, probed: list[str]
) -> None:
    sae, core, probing = ({document_key(text) for text in each} for each in (*texts, probed))
    assert (len(sae), len(core)) == (len(texts.sae), len(texts.core))
    assert not sae & core
    assert not probing & (sae | core)


def test_there_is_as_much_text_as_a_training_of_millions_of_tokens_needs(texts: Documents) -> None:
    characters = [sum(map(len, each)) for each in texts]
    assert characters[0] > 25e6
    assert characters[1] > 1e6
    assert len(texts.core) / (len(texts.sae) + len(texts.core)) == pytest.approx(0.05, abs=0.01)


def test_documents_are_english_prose(texts: Documents) -> None:
    assert all(map(is_english_prose, texts.core))
    code = prompts(dataset_paths(("158_code_C",))[0], "1")
    assert not set(_normalised(code)) & set(_normalised([*texts.sae, *texts.core]))


@pytest.fixture(scope="module")
def genre_of() -> dict[str, str]:
    """Genre of a text by its key."""
    genres: dict[str, str] = {}
    paths = iter(dataset_paths(tuple(source.name for source in sources())))
    for genre, group in PROSE.items():
        for source in group:
            genres |= {document_key(text): genre for text in prompts(next(paths), source.target)}
    return genres


@pytest.mark.parametrize("seed", [0, 1])
def test_the_first_million_tokens_are_of_all_genres(genre_of: dict[str, str], seed: int) -> None:
    stream = [row["text"] for row in open_corpus("sae_probes", split="sae", seed=seed)]
    lengths = list(accumulate(map(len, stream)))
    first = [text for text, end in zip(stream, lengths, strict=True) if end < 4.5e6]
    counts: Counter[str] = Counter()
    for text in first:
        # a document whose line ends were written out has another key
        counts[genre_of.get(document_key(text), "reviews")] += len(text)
    # the rarest genre, stories, has a thirtieth of all characters
    assert set(counts) == set(PROSE)
    assert min(counts.values()) > 0.02 * sum(counts.values())


def test_probing_datasets_are_20_with_two_classes_and_few_words(probed: list[str]) -> None:
    paths = chosen_files("package", PROBING_DATASETS)
    assert len(set(paths)) == 20
    for path in paths:
        read_dataset(path)
    # SmolLM2's tokenizer makes 1.6 tokens of such a word, so these are at most 0.3 million
    assert sum(len(text.split()) for text in probed) < 180_000


def test_paraphrases_share_no_text_with_corpus_or_probing(
    texts: Documents, probed: list[str]
) -> None:
    others = {document_key(text) for each in (*texts, probed) for text in each}
    groups = labelled_paraphrases(0).groups
    assert not [text for group in groups for text in group if document_key(text) in others]
