"""Labelled text classes for SAE-Bench's sparse_probing, tpp and scr.

A dataset is named in a setting: a factor of a factor dataset (`english:topic`), a file of texts and
labels, a dataset that sae-probes ships, or one of SAE-Bench's own on the hub. `sources` reads it
into rows, `drawing` draws from them what an eval asks for.
"""
