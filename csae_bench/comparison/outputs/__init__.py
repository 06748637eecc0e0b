"""Outputs of a comparison for a person, each made from the Report alone.

terminal.py   a table on the terminal
as_json.py    everything, for machines
markdown.py   for a pull request, or the summary of a CI job
html/         one self-contained page
plots.py      the figures as PNG and SVG, and the runs as experiment_results.png
figures.py    content of the figures, as data
"""
