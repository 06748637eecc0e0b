import re
import subprocess
import sys

import pytest

from csae_bench.tinyworld import documents, forget_corpus, paraphrases, retain_corpus
from csae_bench.tinyworld.subjects import SUBJECTS
from csae_bench.tinyworld.words import (
    ADVERBS,
    COMPANIONS,
    DETERMINERS,
    MOODS,
    OPENERS,
    RESERVED_OBJECTS,
    TIMES,
)
from csae_bench.tinyworld.words import SUBJECTS as PERSONS

RESERVED = {
    phrase
    for table in (PERSONS, DETERMINERS, TIMES, ADVERBS, MOODS, OPENERS, COMPANIONS)
    for voices in table
    for phrase in voices.reserved
}
RESERVED |= {form for nouns in RESERVED_OBJECTS for noun in nouns for form in noun}
RESERVED |= {f"{v}{end}" for v in ("agree", "decline") for end in ("", "s", "d")}
"""Every reserved voicing word."""
MARKS = ("with the help of", " us that ", ", before a")
"""Words that none but reserved templates contain, in any text."""
FORBIDDEN = re.compile("|".join([*(rf"\b{re.escape(w)}(?!\w)" for w in RESERVED), *MARKS]))


def _forbidden(text: str) -> list[str]:
    return FORBIDDEN.findall(text)


@pytest.mark.parametrize("split", ["sae", "core"])
def test_reserved_words_and_templates_never_occur_in_documents_for_saes(split):
    for text in documents(split, 1500):
        assert not _forbidden(text)


def test_reserved_words_and_templates_never_occur_in_paraphrases():
    for group in paraphrases(1500, group_size=3):
        for text in group:
            assert not _forbidden(text)


@pytest.mark.slow
def test_the_language_models_documents_use_every_reserved_word_and_template():
    seen = {each for text in documents("lm", 6000) for each in _forbidden(text)}
    assert seen == RESERVED | set(MARKS)


def test_documents_are_the_same_each_time_and_resume_anywhere():
    whole = list(documents("sae", 20, seed=4))
    assert whole == list(documents("sae", 20, seed=4))
    assert whole[7:] == list(documents("sae", 13, seed=4, start=7))


def test_splits_and_seeds_share_no_story():
    texts = [set(documents(s, 300)) for s in ("lm", "validation", "sae", "core")]
    texts.append(set(documents("lm", 300, seed=1)))
    assert len(set.union(*texts)) > 0.99 * sum(map(len, texts))


def test_an_unknown_split_is_an_error_that_names_the_splits():
    with pytest.raises(ValueError, match="Unknown split 'train'"):
        next(documents("train", 1))  # pyright: ignore


def test_documents_are_long_enough_to_pack():
    lengths = [len(text.split()) for text in documents("sae", 500)]
    assert min(lengths) > 40
    assert 80 < sum(lengths) / len(lengths) < 200


def test_the_forget_corpus_is_about_germs_and_the_retain_corpus_is_not():
    assert all("germ" in text for text in forget_corpus(50))
    assert not any("germ" in text for text in retain_corpus(50))
    kinds = {SUBJECTS[name].kind for name in SUBJECTS} - {"germ"}
    assert {k for text in retain_corpus(8) for k in kinds if f" {k} " in text} == kinds


def test_corpora_are_longer_than_sae_benchs_minimum():
    assert min(map(len, [*forget_corpus(100), *retain_corpus(100)])) > 50


def test_importing_the_world_imports_neither_torch_nor_transformers():
    code = "import sys, csae_bench.tinyworld; print({'torch', 'transformers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
