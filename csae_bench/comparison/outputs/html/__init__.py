"""A report as one HTML page that asks nothing of a network.

    page.py       fills the template, which extends pages/frame.html; write_html
    drawing.py    where the points, lines and ticks of a figure lie
    sae_cards.py  what the cards of single SAEs show
    tables.py     the rows that report.js sorts and filters
    measured.py   under which conditions results were measured, and which differ
    report.html, report.css, report.js

Charts are SVG that is drawn here, not by a charting library: the page stays a few hundred kilobytes
instead of several megabytes, and shows them without JavaScript.
"""

from csae_bench.comparison.outputs.html.page import html_page, write_html

__all__ = ["html_page", "write_html"]
