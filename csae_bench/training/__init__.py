"""Training: from a configuration to a checkpoint folder.

`train` tells the story; `data` gives the batches, `settings` SAELens's config, `loop` the steps,
`log` what they looked like, `state` what resuming needs, `calibration` the threshold at the
end, `outcome` what it came to. Importing this package, or `outcome`, imports no torch.
"""
