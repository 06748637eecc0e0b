"""The page of a heat map: one file that asks nothing of a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from csae_bench.factors.encoding import TopPrompt

_POSITIVE, _NEGATIVE = (8, 81, 156), (165, 15, 21)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the table."""

    factor: str
    value: str
    is_first: bool
    """Whether its factor begins here."""
    cells: Sequence[float | None]
    """-1 to 1; None is left blank."""


def html_page(
    *,
    title: str,
    caption: str,
    latents: Sequence[int],
    rows: Sequence[Row],
    prompts: Mapping[int, Sequence[TopPrompt]],
) -> str:
    """The table, then each latent's prompts. All text is escaped."""
    return _template().render(
        title=title, caption=caption, latents=latents, rows=rows, prompts=prompts
    )


def style(cell: float | None) -> str:
    """Colours of a cell: white at 0, blue at 1, red at -1."""
    if cell is None:
        return "background:#eee"
    strength = min(abs(cell), 1.0)
    end = _NEGATIVE if cell < 0 else _POSITIVE
    red, green, blue = (round(255 + (part - 255) * strength) for part in end)
    return f"background:rgb({red},{green},{blue});color:{'#fff' if strength > 0.5 else '#222'}"


@cache
def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters["style"] = style
    source = files("csae_bench.factor_evals").joinpath("heat_map.html").read_text(encoding="utf-8")
    return environment.from_string(source)
