"""Comparing SAEs: is one better than another, how certain is that, and may it be merged?

`reading` reads results, ours or published; `metrics` knows what a metric means; `comparing` pairs
them up and gives verdicts; `gate` turns verdicts into an exit code; `outputs` shows all of it.
Nothing here imports torch or sae_lens.
"""
