"""Is one SAE better than another, how sure are we, and may it be merged?

`reading` reads results, ours or published; `metrics` knows what a metric means; `comparing` pairs
them up and gives verdicts; `gate` turns verdicts into an exit code; `outputs` shows all of it.
Nothing here imports torch or sae_lens.
"""
