"""The public Python interface of `import csae_bench`: `evaluate`, `train`, `compare`."""
