"""csae_bench/comparison/outputs/short_names.py."""

from __future__ import annotations

from csae_bench.comparison.outputs.short_names import ELLIPSIS, shortened_names

HOOK = "gemma-2-2b__blocks.12.hook_resid_post"


def test_a_long_part_that_all_share_is_left_out() -> None:
    names = [f"TopK_{HOOK}__trainer_{i}" for i in range(3)]
    short, shared = shortened_names(names)
    assert list(short.values()) == [f"{ELLIPSIS}trainer_{i}" for i in range(3)]
    assert all(shared in name for name in names)


def test_what_comes_before_and_after_stays() -> None:
    short, _ = shortened_names([f"TopK_{HOOK}__trainer_1", f"Standard_{HOOK}__trainer_2"])
    assert list(short.values()) == [f"TopK{ELLIPSIS}trainer_1", f"Standard{ELLIPSIS}trainer_2"]


def test_short_names_and_a_single_name_stay() -> None:
    for names in (["custom_sae", "custom_sae_small"], [f"TopK_{HOOK}"]):
        assert shortened_names(names) == ({name: name for name in names}, "")


def test_names_that_would_no_longer_differ_stay() -> None:
    names = [HOOK, f"{HOOK}{HOOK}"]
    short, _ = shortened_names(names)
    assert len(set(short.values())) == 2
