"""Entities, rows and values of SAE-Bench's RAVEL eval; imports no SAE-Bench."""
