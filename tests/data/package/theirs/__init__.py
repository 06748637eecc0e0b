"""A third party's package: an eval and a factor dataset for csae-bench."""
