"""Warnings that are meant for the user of the command line, not for who wrote the code."""

from __future__ import annotations


class Notice(UserWarning):
    """A warning that the command line shows as one sentence, without a place in the code."""
