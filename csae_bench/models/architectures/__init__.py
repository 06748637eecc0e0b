"""Architectures that load from a folder: their config.json in transformer-lens's words.

transformer-lens has this for the models it knows by name only; here it is read from the model's
own config, and everything that HookedTransformer cannot represent is refused. Not among them:
mixtures, state-space models, models that see, and whatever scales its positions in another way
than `rotary.py` knows.

Adding an architecture is a builder in a module, a row in `table.py` and a small shape in
`tests/model_configs.py`; the tests run over all rows.
"""

from csae_bench.models.architectures.blocks import ACTIVATIONS
from csae_bench.models.architectures.table import (
    ARCHITECTURES,
    ModelArchitecture,
    hooked_config,
)

__all__ = ["ACTIVATIONS", "ARCHITECTURES", "ModelArchitecture", "hooked_config"]
