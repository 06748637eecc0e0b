"""SAEs of other libraries: the table of the forms that are read.

To add one, write a module with its `FORM` and put that into FORMS. Recognition looks at names and
small JSON files, reading at those and at the headers of arrays; importing this imports neither
torch nor sae_lens.
"""

from __future__ import annotations

from pathlib import Path

from csae_bench.saes.folder import CFG_FILENAME
from csae_bench.saes.foreign import arrays, dictionary_learning, sparsify
from csae_bench.saes.foreign.form import Form, json_object
from csae_bench.saes.foreign.unrecognised import pickles, unrecognised

__all__ = ["FORMS", "Form", "foreign_form", "foreign_problems", "pickles"]

FORMS: tuple[Form, ...] = (sparsify.FORM, dictionary_learning.FORM, arrays.FORM)
"""In the order in which they are tried."""


def foreign_form(place: Path) -> Form | None:
    """Return the foreign form of a folder or file; None for SAELens's, and where none is."""
    if _is_saelens(place):
        return None
    return next((form for form in FORMS if form.recognises(place)), None)


def foreign_problems(place: Path) -> list[str]:
    """Describe what a folder holds instead of an SAE, and a remedy; empty if nothing is known."""
    return [] if _is_saelens(place) else unrecognised(place, FORMS)


def _is_saelens(place: Path) -> bool:
    cfg = json_object(place / CFG_FILENAME)
    return cfg is not None and ("d_sae" in cfg or "architecture" in cfg)
