import pytest

from csae_bench.tinyworld import documents, factor_grid, forget_corpus, paraphrases, retain_corpus
from csae_bench.tinyworld.tokenizer import build_tokenizer, load_tokenizer, save_tokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("tokenizer")
    save_tokenizer(path)
    return path


@pytest.fixture(scope="module")
def tokenizer(folder):
    return load_tokenizer(folder)


def test_the_tokenizer_is_the_same_each_time(folder):
    assert build_tokenizer().to_str(pretty=True) == (folder / "tokenizer.json").read_text()


def test_the_vocabulary_is_one_to_two_thousand_words(tokenizer):
    assert 1000 <= len(tokenizer) <= 2000


@pytest.mark.parametrize("letter", "ABCD")
def test_letters_are_single_tokens_with_and_without_a_space(tokenizer, letter):
    bare, spaced = (
        tokenizer(text, add_special_tokens=False)["input_ids"] for text in (letter, f" {letter}")
    )
    assert len(bare) == len(spaced) == 1
    assert bare != spaced
    assert tokenizer.unk_token_id not in bare + spaced


def test_every_text_gets_exactly_one_bos(tokenizer):
    assert tokenizer("")["input_ids"] == [tokenizer.bos_token_id]
    assert tokenizer("The note")["input_ids"].count(tokenizer.bos_token_id) == 1


def test_special_tokens_have_gemmas_ids(tokenizer):
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.bos_token_id) == (0, 1, 2)


@pytest.mark.parametrize("text", ["\n", "<start_of_turn>", "<end_of_turn>", "<bos>", "<eos>"])
def test_newline_and_markers_are_single_tokens(tokenizer, text):
    (token,) = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode([token]) == text


@pytest.mark.parametrize("split", ["lm", "validation", "sae", "core"])
def test_documents_round_trip_without_unknown_words(tokenizer, split):
    for text in documents(split, 1000, seed=7):
        ids = tokenizer(text)["input_ids"]
        assert tokenizer.unk_token_id not in ids
        assert tokenizer.decode(ids[1:]) == text


def test_everything_else_the_world_says_has_no_unknown_words(tokenizer):
    texts = [p.later_prompt(f) for p in factor_grid().prompts for f in ("topic", "gender")]
    texts += [*forget_corpus(300), *retain_corpus(300)]
    texts += [text for group in paraphrases(500, 3) for text in group]
    for ids in tokenizer(texts)["input_ids"]:
        assert tokenizer.unk_token_id not in ids


def test_unknown_text_becomes_unknown_tokens(tokenizer):
    ids = tokenizer("Zürich  is\t🦆 far", add_special_tokens=False)["input_ids"]
    assert tokenizer.unk_token_id in ids
