"""Everything that runs a language model to a hook, or on from one."""
