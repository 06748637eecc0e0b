"""Resources of the machine, and requirements of a run."""
