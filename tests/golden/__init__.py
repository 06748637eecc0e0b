"""Golden numbers: results on stored inputs that a refactoring must not change.

`python -m tests.golden` measures them anew and shows each number that differs; `--write` renews the
files. Only `adapters` calls csae_bench.

codes.json         metrics of the factor evals on stored codes
through_model.json evals of a stored SAE on the bundled model
unlearning.json    the unlearning eval on the same; belongs to ENGINE_VERSION
training.json      losses and gradients of 20 steps on stored rows; belongs to TRAINING_VERSION
"""
