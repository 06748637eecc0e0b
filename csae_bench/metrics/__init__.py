"""How well latents match labelled factors: arrays in, numbers out."""
