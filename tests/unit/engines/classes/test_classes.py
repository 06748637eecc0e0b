"""Datasets of text classes: what their names stand for, and what is drawn from them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from csae_bench.engines.classes.drawing import (
    SAE_BENCH_SIZES,
    Sizes,
    chosen_sizes,
    draw_classes,
    draw_pairs,
)
from csae_bench.engines.classes.inputs import ClassesInput
from csae_bench.engines.classes.names import (
    SCR_AND_TPP_HUB,
    SHIPPED,
    SPARSE_PROBING_HUB,
    chosen_datasets,
    dataset_name,
)
from csae_bench.errors import DataError, UnknownNameError

SIZES = Sizes(40, 20)
WriteTexts = Callable[..., Path]


@pytest.fixture
def write_texts(tmp_path: Path) -> WriteTexts:
    """Writes texts in all combinations of two labels of two values, so many of each."""

    def write(n: int = 60, *, header: str = "text,kind,place") -> Path:
        path = tmp_path / "texts.csv"
        rows = [
            f"a {kind} in the {place} number {i},{kind},{place}"
            for i in range(n)
            for kind in ("cat", "dog")
            for place in ("house", "garden")
        ]
        path.write_text("\n".join([header, *rows]) + "\n")
        return path

    return write


@pytest.mark.parametrize(
    ("name", "kind", "base", "labels"),
    [
        ("english:topic", "factors", "english", ("topic",)),
        ("english:sentiment*gender", "factors", "english", ("sentiment", "gender")),
        ("tinyworld", "factors", "tinyworld", ()),
        ("./texts.csv", "file", "./texts.csv", ()),
        ("/a/b:c/texts.jsonl:label", "file", "/a/b:c/texts.jsonl", ("label",)),
        ("ag_news", "shipped", "ag_news", ()),
        ("sae_probes:97_news_class", "shipped", "97_news_class", ()),
        ("Helsinki-NLP/europarl", "hub", "Helsinki-NLP/europarl", ()),
    ],
)
def test_a_name_says_where_its_texts_are(
    name: str, kind: str, base: str, labels: tuple[str, ...]
) -> None:
    assert dataset_name(name)[1:] == (kind, base, labels)


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'ag_news'"):
        dataset_name("ag_newz")


def test_auto_suits_the_model_and_sae_bench_is_its_own_datasets() -> None:
    suited = {"tinyworld": ("tinyworld:tense",), "english": ("ag_news", "english:topic")}

    def chosen(*names: str, model: str) -> tuple[str, ...]:
        return chosen_datasets(names, model=model, suited=suited, on_hub=SCR_AND_TPP_HUB)

    assert chosen("auto", model="tiny-gemma2-it") == ("tinyworld:tense",)
    assert chosen("auto", model="gpt2") == ("ag_news", "english:topic")
    assert chosen("ag_news", "auto", model="gpt2") == ("ag_news", "english:topic")
    assert chosen("sae_bench", model="gpt2") == SCR_AND_TPP_HUB


@pytest.mark.parametrize("name", ["tinyworld:tense", "english:topic", *SHIPPED])
def test_training_and_test_texts_are_as_many_of_each_class_and_share_none(name: str) -> None:
    drawn = draw_classes(name, SIZES, 0)
    assert len(drawn.train) >= 2
    assert {len(texts) for texts in drawn.train.values()} == {20}
    assert {len(texts) for texts in drawn.test.values()} == {10}
    every = [t for part in (drawn.train, drawn.test) for texts in part.values() for t in texts]
    assert len(set(every)) == len(every)
    assert draw_classes(name, SIZES, 0) == drawn
    assert draw_classes(name, SIZES, 1) != drawn


def test_any_dataset_that_sae_probes_ships_has_its_targets_as_classes() -> None:
    drawn = draw_classes("sae_probes:97_news_class", SIZES, 0)
    assert set(drawn.train) == {"Entertainment", "Politics", "Sport", "Technology"}


def test_a_files_column_is_its_classes(write_texts: WriteTexts) -> None:
    path = write_texts()
    drawn = draw_classes(f"{path}:kind", SIZES, 0)
    assert set(drawn.train) == {"cat", "dog"}
    assert all("cat" in text for text in drawn.train["cat"])
    with pytest.raises(DataError, match=r"has 2 labels \(kind, place\); this eval takes one label"):
        draw_classes(str(path), SIZES, 0)
    with pytest.raises(DataError, match="Did you mean 'place'"):
        draw_classes(f"{path}:plac", SIZES, 0)


def test_a_files_own_split_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "split.csv"
    rows = [
        f"{split} text {i} of {label},{label},{split}"
        for i in range(30)
        for label in ("a", "b")
        for split in ("train", "test")
    ]
    path.write_text("\n".join(["text,label,split", *rows]))
    drawn = draw_classes(str(path), SIZES, 0)
    assert all(text.startswith("train") for texts in drawn.train.values() for text in texts)
    assert all(text.startswith("test") for texts in drawn.test.values() for text in texts)


def test_two_labels_are_drawn_so_that_they_can_be_made_to_go_together(
    write_texts: WriteTexts,
) -> None:
    drawn = draw_pairs(f"{write_texts()}:kind*place", SIZES, 0)
    assert drawn.first_pairs == (("cat", "dog"),)
    assert drawn.second == ("garden", "house")
    counts = {
        (first, second): sum((row.first, row.second) == (first, second) for row in drawn.train)
        for first in ("cat", "dog")
        for second in ("garden", "house")
    }
    # a quarter in each combination, and twice as many and one more where both are first or second
    assert counts == {
        ("cat", "garden"): 21, ("cat", "house"): 10, ("dog", "garden"): 10, ("dog", "house"): 21,
    }  # fmt: skip
    assert not {row.text for row in drawn.train} & {row.text for row in drawn.test}


def test_a_label_of_several_values_makes_several_pairs() -> None:
    drawn = draw_pairs("english:topic*gender", SIZES, 0)
    assert len(drawn.first_pairs) == 3
    with pytest.raises(DataError, match=r"'topic', the label that is confused .* has 6 values"):
        draw_pairs("english:gender*topic", SIZES, 0)


def test_sizes_are_sae_benchs_as_far_as_the_texts_go(write_texts: WriteTexts) -> None:
    name = f"{write_texts()}:kind"
    assert chosen_sizes(["ag_news"], 400, 200) == Sizes(400, 200)
    assert chosen_sizes(["fancyzhx/ag_news"], None, None) == SAE_BENCH_SIZES
    assert chosen_sizes([name], None, None) == Sizes(192, 48)
    assert chosen_sizes([name], None, 20) == Sizes(192, 20)
    draw_classes(name, Sizes(192, 48), 0)
    pair = f"{name}*place"
    sizes = chosen_sizes([pair], None, None, has_two_labels=True)
    draw_pairs(pair, sizes, 0)
    with pytest.raises(DataError, match="distinct texts of"):
        draw_pairs(pair, Sizes(sizes.train + 8, sizes.test), 0)


def test_fewer_texts_than_asked_for_are_an_error_that_says_how_many(
    write_texts: WriteTexts,
) -> None:
    path = write_texts(10)
    with pytest.raises(DataError, match=r"has 20 distinct texts of 'cat' of both; .* ask for 30"):
        draw_classes(f"{path}:kind", SIZES, 0)
    sizes = chosen_sizes([f"{path}:kind"], None, None)
    with pytest.raises(DataError, match="texts for 32 rows of training and 8 of testing"):
        draw_classes(f"{path}:kind", sizes, 0)


def test_fewer_classes_than_two_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("text,label\n" + "".join(f"text {i},a\n" for i in range(50)))
    with pytest.raises(DataError, match="'label' is 'a' in all 50 rows"):
        draw_classes(str(path), SIZES, 0)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("prompt,label\na,b\n", "there is no column 'text'"),
        ("text,label\na,b,c\n", "line 2: has 3 cells for 2 columns"),
        ("text,label\na,\n", "line 2: label is empty"),
        ('text,label\n"a,b\n', "is not CSV"),
        ("", "is empty"),
        ("text\na\n", "has no factor"),
    ],
)
def test_a_malformed_file_is_refused_with_the_place(
    tmp_path: Path, content: str, fault: str
) -> None:
    path = tmp_path / "texts.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=fault):
        draw_classes(str(path), SIZES, 0)
    ((outcome, message),) = ClassesInput(name=str(path), sizes=SIZES, seed=0).status()
    assert outcome == "problem"
    assert str(path) in message


def test_a_dataset_without_texts_and_one_that_is_not_there_are_refused() -> None:
    with pytest.raises(DataError, match="has activations, and classes are of texts"):
        draw_classes("synthetic:feature_0", SIZES, 0)
    with pytest.raises(DataError, match="there is no such file"):
        draw_classes("./nowhere.csv", SIZES, 0)
    with pytest.raises(DataError, match="there is no such file"):
        draw_classes("sae_probes:nothing", SIZES, 0)
    with pytest.raises(DataError, match="has one label; this eval takes two"):
        draw_pairs("ag_news", SIZES, 0)


@pytest.mark.parametrize("name", SPARSE_PROBING_HUB)
def test_what_is_on_the_hub_cannot_be_checked(name: str) -> None:
    ((outcome, _),) = ClassesInput(name=name, sizes=SIZES, seed=0).status()
    assert outcome == "unknown"


def test_a_fingerprint_changes_with_the_texts_and_not_otherwise(write_texts: WriteTexts) -> None:
    def fingerprint(name: str) -> str:
        return ClassesInput(name=name, sizes=SIZES, seed=0).fingerprint()

    name = f"{write_texts(20)}:kind"
    first = fingerprint(name)
    assert fingerprint(name) == first
    write_texts(21)
    assert fingerprint(name) != first
    others = ("english:topic", "english:tense", "ag_news", "sae_probes:97_news_class", "nothing")
    assert len({fingerprint(other) for other in others}) == len(others)
