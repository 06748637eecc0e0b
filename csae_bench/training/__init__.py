"""Training: from a configuration to a checkpoint folder.

Start with `train`, which shows the whole flow; `data` gives the batches, `settings` SAELens's
config, `loop` the steps, `log` their measurements, `state` what resuming needs, `calibration` the
threshold at the end, `outcome` the result. Importing this package, or `outcome`, imports no torch.
"""
