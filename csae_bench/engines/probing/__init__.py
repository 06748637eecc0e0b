"""`factor_probing`: which latent stands for which factor value, and what the model does with it."""
