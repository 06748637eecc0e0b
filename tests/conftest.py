"""What all tests share: no network, checked shapes, and a place of their own for caches."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest
from hypothesis import settings

# before any Hugging Face library is imported
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ.setdefault("WANDB_MODE", "disabled")
# before torch is: threads that wait by spinning make a busy machine several times slower
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if "PYTEST_XDIST_WORKER" in os.environ:  # as many processes as cores: one thread for each
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from tests import type_checking

type_checking.install()  # before csae_bench is imported

from tests.browser.fixtures import chromium, open_page  # noqa: E402, F401 - fixtures for all tests

# a machine that does other work is slow now and then
settings.register_profile("without_deadline", deadline=None)
settings.load_profile("without_deadline")


@pytest.fixture
def unchecked_shapes() -> Generator[None]:
    """Switch the checks of types and shapes off, for tests that pass wrong ones as a user may."""
    with type_checking.unchecked():
        yield
