"""Makes the yardsticks that `csae_bench.comparison.yardsticks` shows next to scores.

floors.py     codes that are computed from a factor dataset alone
making.py     measures them, and the SAEs that train nothing, on the default settings
right_questions.py  which questions the bundled model answers right
__main__.py   `make yardsticks`
"""
