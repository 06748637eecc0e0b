"""Browsable page of the probing eval: its content, and how it is written."""
