"""The browsable page of the probing eval: what it shows, and how it is written."""
