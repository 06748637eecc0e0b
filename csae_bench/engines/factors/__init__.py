"""Shared parts of the evals on factor datasets: settings, samples, result fields, heat maps.

Importing this imports neither torch nor scikit-learn.
"""
