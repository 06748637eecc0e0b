"""Engine of the autointerp eval: judges, the world they know, and statistics of their answers.

    judges/        who explains a latent and predicts where it fires; one module a kind
    settings.py    settings of the eval
    messages.py    SAE-Bench's two prompts, read back, and answers in the form it parses
    world.py       texts whose factors are known: which word says which value
    rules.py       explanations that a program can check
    rule_answers.py  the judge by rules
    rule_search.py the rule that explains examples best
    texts.py       the text that latents are read on
    known_latents.py  latents whose explanation is known, on which a judge is scored itself
    scores.py      statistics over latents
    reporting.py   fields of a result
    fields.py      rows of the metrics

Importing this imports neither torch nor openai.
"""
