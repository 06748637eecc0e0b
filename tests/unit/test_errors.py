"""csae_bench/errors.py and registry.py."""

from __future__ import annotations

import pytest

from csae_bench import errors
from csae_bench.errors import CsaeBenchError, UnknownNameError, reason_of
from csae_bench.registry import Registry


def test_every_error_of_ours_has_one_root_and_an_exit_code_of_the_contract() -> None:
    ours = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, Exception)]
    assert all(issubclass(error, CsaeBenchError) for error in ours)
    assert {error.exit_code for error in ours} == {errors.EXIT_USAGE, errors.EXIT_FAILED}


def test_an_unknown_name_lists_what_there_is_and_suggests_the_nearest() -> None:
    message = str(UnknownNameError("eval", "croe", ["core", "mig"]))
    assert message == "Unknown eval 'croe'. Did you mean 'core'? Available: core, mig."


def test_a_registry_refuses_a_second_entry_of_the_same_name() -> None:
    registry: Registry[object] = Registry("thing")
    first = object()
    registry.add("a", first)
    assert registry.add("a", first) is first
    with pytest.raises(ValueError, match="registered twice"):
        registry.add("a", object())


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(28, "No space left on device", "/x"), "No space left on device"),
        (OSError("no number"), "no number"),
        (RecursionError("maximum recursion depth exceeded"), "Is nested too deep"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), "Is not UTF-8 text, from byte 0 on"),
        (ValueError("Exceeds the limit (4300 digits)"), "Holds a number of too many digits"),
        (KeyError(), "KeyError"),
        (ValueError("It ends."), "It ends"),
    ],
)
def test_a_reason_has_no_number_in_brackets_and_no_path(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason
