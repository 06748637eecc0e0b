"""What all tests share: no network, and a place of their own for caches."""

from __future__ import annotations

import os

# before any Hugging Face library is imported
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ.setdefault("WANDB_MODE", "disabled")
# before torch is: threads that wait by spinning make a busy machine several times slower
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from tests.browser.fixtures import chromium, open_page  # noqa: F401 - fixtures for all tests
