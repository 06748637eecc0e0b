"""Small helpers that know nothing of SAEs."""
