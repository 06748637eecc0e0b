"""Activations on disk, which several trainings read instead of running the model.

`folder` is what lies on the disk, `entry` one set of activations that a process uses, `shards` the
content of a file, `draws` what a training asks. `folder` and `entry` import no torch.
"""
