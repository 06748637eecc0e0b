"""The form of an SAE in which SAE-Bench's absorption formulas hold: no signs, rows of length 1."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

_ROUND_OFF = {torch.float32: 1e-3, torch.float64: 1e-3}
_OF_FEW_BITS = 2e-2
"""Of half precision, in which a row of length 1 has that error."""


class PlainForm:
    """An SAE that reconstructs the same, with codes of no sign and decoder rows of length 1.

    A latent with negative codes is two of opposite directions, of which one is on; SAE-Bench takes
    its negative codes for silence. A code times its row's length is in the units of the
    activations; SAE-Bench multiplies codes by cosines, whatever the length.

    Args:
        has_signs: whether any code is negative.
    """

    def __init__(self, sae: Any, *, has_signs: bool) -> None:
        self._sae, self._has_signs = sae, has_signs
        lengths = sae.W_dec.detach().norm(dim=1)
        self._lengths = torch.where(lengths > 0, lengths, torch.ones_like(lengths))
        rows = sae.W_dec.detach() / self._lengths[:, None]
        columns = sae.W_enc.detach()
        self.W_dec = torch.cat([rows, -rows]) if has_signs else rows
        self.W_enc = torch.cat([columns, -columns], dim=1) if has_signs else columns
        self.cfg = SimpleNamespace(d_sae=len(self.W_dec))

    @property
    def device(self) -> torch.device:
        """Device of its weights."""
        return self._sae.device

    @property
    def dtype(self) -> torch.dtype:
        """Type of its weights."""
        return self._sae.dtype

    def encode(self, acts: Tensor) -> Tensor:
        """Encode activations: positive codes first, then the magnitudes of negative ones."""
        codes = self._sae.encode(acts) * self._lengths
        return torch.cat([codes.relu(), (-codes).relu()], dim=-1) if self._has_signs else codes


def has_unit_rows(sae: Any) -> bool:
    """Test whether all decoder rows that are not 0 have length 1, but for round-off."""
    lengths = sae.W_dec.detach().float().norm(dim=1)
    lengths = lengths[lengths > 0]
    return bool(((lengths - 1).abs() <= _ROUND_OFF.get(sae.W_dec.dtype, _OF_FEW_BITS)).all())


class WatchedSigns:
    """Notes whether an SAE, a copy of our own, gives a negative code."""

    def __init__(self, sae: Any) -> None:
        self.has_negative = False
        encode = sae.encode

        def watched(acts: Tensor) -> Tensor:
            codes = encode(acts)
            self.has_negative = self.has_negative or bool((codes < 0).any())
            return codes

        sae.encode = watched
