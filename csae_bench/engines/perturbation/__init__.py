"""SAE-Bench's tpp and scr: what ablating latents does to probes of classes."""
