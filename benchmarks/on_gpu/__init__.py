"""The sections of `benchmarks.gpu`, each a module with a `run(report)`."""
