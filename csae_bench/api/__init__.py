"""What `import csae_bench` offers: `evaluate`, `train`, `compare`."""
