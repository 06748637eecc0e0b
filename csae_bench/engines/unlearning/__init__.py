"""Unlearning: questions and texts, a fast way to ask them, and scores of the answers.

    data.py        what is to be forgotten and what kept: questions and running text
    rows.py        a question or a text in a file, checked; a fault names file and line
    sources.py     where data comes from: tinyworld, a folder, the Hugging Face hub
    chat.py        whether a tokenizer can be asked SAE-Bench's questions
    prompts.py     prompts as tokens, in batches of like length
    engine.py      answers of a model whose latents are clamped, layers before the hook run once
    cache.py       what is finished already, kept by content
    sweep.py       which question is answered right under which setting
    statistics.py  scores, halves, intervals and controls of a sweep, in numpy alone

SAE-Bench itself is called in `csae_bench.upstream.unlearning`. Only the engine and its prompts
import torch.
"""
