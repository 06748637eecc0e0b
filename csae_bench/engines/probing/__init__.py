"""`factor_probing`: latents that stand for factor values, and their effect on the model."""
