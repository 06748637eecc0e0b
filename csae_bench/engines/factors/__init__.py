"""What the evals on factor datasets share: settings, samples, the form of results, heat maps.

Importing this imports neither torch nor scikit-learn.
"""
