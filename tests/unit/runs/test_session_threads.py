"""A session's threads are those of every library that multiplies matrices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from csae_bench.runs.job import SaeRef
from csae_bench.runs.session import Session
from csae_bench.support.threads import limit_threads


@pytest.fixture
def session() -> Iterator[Session]:
    """A session; afterwards threads are what they were."""
    n = torch.get_num_threads()
    with threadpool_limits(None):
        yield Session("cpu")
    torch.set_num_threads(n)
    limit_threads(None)


def _n_threads(session: Session) -> set[int]:
    ref = SaeRef(
        release="r", sae_id="s", location=None, weights_hash="0", model_name=None, hook_name=None
    )
    sae: Any = torch.nn.Identity()
    session.add_sae(sae, ref)
    session.sae(ref)
    of_blas = {info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas"}
    return of_blas | {torch.get_num_threads()}


def test_one_limit_is_that_of_torch_and_of_numpy(session: Session) -> None:
    before = torch.get_num_threads()
    session.set_threads(1)
    assert _n_threads(session) == {1}
    session.set_threads(None)
    assert _n_threads(session) == {before}
