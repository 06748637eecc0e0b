"""Pairs from two texts that say the same; rows are (token, position, tokens read)."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from csae_bench.activations.sources import EpochWarning, special_token_ids
from csae_bench.errors import DataError
from csae_bench.pairs import ParaphrasePairs
from csae_bench.paraphrases import TinyworldParaphrases
from tests.unit.pairs.sources import ReadTokens, collected, paraphrase_pairs

# the shipped tokenizer has a token for every word of these: " she" is one, "she" is not
TEXTS = (
    (" she saw the rocket", "We saw that she never saw the rocket", " the rocket by Mary"),
    ("We never saw a sail", " the queen and Anna never saw the sail"),
    (" a goal", " it is a goal", " goal", " the goal was not by Mary", " just a goal"),
)


@pytest.fixture(scope="module")
def model() -> ReadTokens:
    return ReadTokens()


def _read(model: ReadTokens, text: str) -> list[list[float]]:
    """Rows of a text read by itself, <bos> left out."""
    bos = torch.tensor([[model.tokenizer.bos_token_id]])
    return model.read(torch.cat([bos, model.to_tokens(text)], dim=1))[0, 1:].tolist()


def _one_pass(source: ParaphrasePairs) -> tuple[torch.Tensor, torch.Tensor]:
    rows, groups = [], []
    while source.rows_per_epoch is None:
        pairs = source.next_pairs()
        rows.append(pairs.rows)
        groups.append(pairs.group)
    return torch.cat(rows), torch.cat(groups)


def test_rows_of_a_pair_are_of_two_texts_of_its_group(model: ReadTokens) -> None:
    rows, groups = _one_pass(paraphrase_pairs(collected(*TEXTS), model=model))
    of_text = [[_read(model, text) for text in texts] for texts in TEXTS]
    for (anchor, positive), group in zip(rows.tolist(), groups.tolist(), strict=True):
        texts = of_text[group]
        assert any(
            anchor in one and positive in other for one, other in itertools.permutations(texts, 2)
        )


def test_a_sequence_is_the_group_as_a_negative_number(model: ReadTokens) -> None:
    pairs = paraphrase_pairs(collected(*TEXTS), model=model).next_pairs()
    assert torch.equal(pairs.sequence, -1 - pairs.group)
    assert (pairs.group >= 0).all()


def test_every_text_has_one_partner_in_a_pass_and_the_odd_one_is_left_out(
    model: ReadTokens,
) -> None:
    texts = collected(*TEXTS)
    rows, groups = _one_pass(paraphrase_pairs(texts, model=model, positions="last"))
    assert groups.tolist() == [0, 1, 2, 2]
    for group, members in enumerate(TEXTS):
        ends = [_read(model, text)[-1] for text in members]
        used = rows[groups == group].flatten(0, 1).tolist()
        assert len(used) == len(members) // 2 * 2
        assert all(used.count(end) <= ends.count(end) for end in used)


@pytest.mark.filterwarnings("ignore::csae_bench.activations.sources.EpochWarning")
def test_who_is_paired_with_whom_changes_from_pass_to_pass(model: ReadTokens) -> None:
    source = paraphrase_pairs(collected(TEXTS[2]), model=model, positions="last")
    partners = set()
    for _ in range(40):
        partners |= {tuple(sorted(pair)) for pair in source.next_pairs().rows[:, :, 2].tolist()}
    assert len(partners) == 10  # all pairs of five


def test_anchor_and_positive_are_drawn_in_either_order(model: ReadTokens) -> None:
    source = paraphrase_pairs(TinyworldParaphrases(0), model=model, positions="last")
    longer = [
        float(np.sign(pair[0, 1] - pair[1, 1]))
        for _ in range(50)
        for pair in source.next_pairs().rows
    ]
    # 200 pairs of texts, some of equal length
    assert 0.35 < longer.count(1.0) / (longer.count(1.0) + longer.count(-1.0)) < 0.65


def test_aligned_positions_have_read_equal_shares(model: ReadTokens) -> None:
    rows, _ = _one_pass(paraphrase_pairs(collected(TEXTS[1]), model=model))
    n_tokens = sorted(len(_read(model, text)) for text in TEXTS[1])
    assert len(rows) == n_tokens[0]
    longer = int(rows[:, 1, 1].max() > rows[:, 0, 1].max())
    share = torch.arange(1, len(rows) + 1)
    assert rows[:, 1 - longer, 1].tolist() == share.tolist()
    assert rows[:, longer, 1].tolist() == (-(-share * n_tokens[1] // n_tokens[0])).tolist()


@pytest.mark.parametrize("positions", ["aligned", "random", "last"])
def test_neither_special_tokens_nor_padding_are_in_a_pair(
    model: ReadTokens, positions: str
) -> None:
    special = set(special_token_ids(model.tokenizer))
    turns = ("<start_of_turn>user the rocket<end_of_turn>", " rocket <eos> <pad>", "<bos> a rocket")
    groups = collected((*turns, " she saw the rocket and the queen saw it"))
    source = paraphrase_pairs(groups, model=model, positions=positions)
    rows, _ = _one_pass(source)
    assert len(rows) > 0
    assert not special & set(rows[:, :, 0].flatten().long().tolist())


def test_texts_are_cut_after_context_size_tokens(model: ReadTokens) -> None:
    groups = collected((" she saw the rocket" * 9, " the queen saw that rocket" * 9))
    rows, _ = _one_pass(paraphrase_pairs(groups, model=model, context_size=12))
    assert model.shapes[-1] == (2, 12)
    assert sorted(rows[:, 0, 1].tolist()) == list(range(1, 12))


def test_a_forward_pass_takes_batch_size_prompts_texts(model: ReadTokens) -> None:
    for asked, taken in ((8, 8), (7, 6), (2, 2), (1, 2)):
        source = paraphrase_pairs(TinyworldParaphrases(0), model=model, batch_size_prompts=asked)
        source.next_pairs()
        assert model.shapes[-1][0] == taken


def test_how_many_texts_are_read_at_once_does_not_change_aligned_pairs(model: ReadTokens) -> None:
    one, other = (
        _one_pass(paraphrase_pairs(collected(*TEXTS), model=model, batch_size_prompts=n))
        for n in (2, 6)
    )
    assert torch.equal(one[0], other[0])
    assert torch.equal(one[1], other[1])


@pytest.mark.parametrize("positions", ["aligned", "random"])
@pytest.mark.parametrize("n_draws", [0, 1, 2, 5])
def test_a_restored_source_resumes_with_the_same_pairs(
    model: ReadTokens, n_draws: int, positions: str
) -> None:
    def source() -> ParaphrasePairs:
        return paraphrase_pairs(
            TinyworldParaphrases(3), model=model, positions=positions, batch_size_prompts=6
        )

    original, restored = source(), source()
    for _ in range(n_draws):
        original.next_pairs()
    restored.load_state_dict(original.state_dict())
    for _ in range(4):
        expected, actual = original.next_pairs(), restored.next_pairs()
        assert torch.equal(expected.rows, actual.rows)
        assert torch.equal(expected.group, actual.group)


def test_a_group_may_be_interrupted(model: ReadTokens) -> None:
    def source() -> ParaphrasePairs:
        return paraphrase_pairs(
            collected(TEXTS[2], TEXTS[0]), model=model, positions="random", batch_size_prompts=2
        )

    original, restored = source(), source()
    original.next_pairs()
    assert original.state_dict()["n_taken"] == 1
    restored.load_state_dict(original.state_dict())
    assert torch.equal(original.next_pairs().rows, restored.next_pairs().rows)


def test_another_seed_pairs_other_positions(model: ReadTokens) -> None:
    one, other = (
        paraphrase_pairs(TinyworldParaphrases(0), model=model, seed=seed, positions="random")
        for seed in (0, 1)
    )
    assert not torch.equal(one.next_pairs().rows, other.next_pairs().rows)


def test_a_dataset_that_ends_is_started_over_with_a_warning(model: ReadTokens) -> None:
    source = paraphrase_pairs(collected(*TEXTS), model=model)
    rows, _ = _one_pass(source)
    assert source.epochs == 1
    assert source.rows_per_epoch == 2 * len(rows)
    with pytest.warns(EpochWarning, match=r"ended after 3 groups; starting over \(pass 2\)"):
        source.next_pairs()


def test_texts_without_a_usable_token_are_an_error_and_not_read(model: ReadTokens) -> None:
    n_read = len(model.shapes)
    source = paraphrase_pairs(collected(("<eos>", "<pad>"), ("<bos>", "a")), model=model)
    with pytest.raises(DataError, match=r"No pairs in 4 texts of pairs\.paraphrase\.dataset"):
        source.next_pairs()
    assert len(model.shapes) == n_read


def test_a_context_of_bos_alone_is_an_error_that_names_it(model: ReadTokens) -> None:
    source = paraphrase_pairs(TinyworldParaphrases(0), model=model, context_size=1)
    with pytest.raises(DataError, match=r"first 1\. .* raise activations\.context_size"):
        source.next_pairs()
