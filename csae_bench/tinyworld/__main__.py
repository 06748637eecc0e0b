"""`python -m csae_bench.tinyworld`: train the model again, or print its quality figures."""

import argparse
import sys
from pathlib import Path

from csae_bench.tinyworld import model_dir


def main(arguments: list[str] | None = None) -> int:
    """Train the model into a folder with its card, or check one; 0, or 2 for bad usage."""
    defaults = "the shipped model's folder"
    parser = argparse.ArgumentParser(prog="python -m csae_bench.tinyworld", description=__doc__)
    parser.add_argument("--to", type=Path, default=model_dir(), help=f"folder ({defaults})")
    parser.add_argument(
        "--check", action="store_true", help="print the figures of the folder's model"
    )
    parser.add_argument(
        "--steps", type=int, default=None, help="training steps (the shipped model's)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of weights and documents (0)")
    parser.add_argument("--threads", type=int, default=None, help="torch threads (torch's default)")
    options = parser.parse_args(arguments)

    import torch

    from csae_bench.tinyworld import card, lm, quality

    if options.threads is not None:
        torch.set_num_threads(options.threads)
    if options.check:
        if not (options.to / "config.json").is_file():
            parser.error(f"{options.to} holds no model: config.json is missing.")
        print(card.figures(quality.judge(*lm.load(options.to))))
        return 0

    default = lm.LMTraining(seed=options.seed)
    cfg = lm.LMTraining(seed=options.seed, steps=options.steps or default.steps)
    lm.save(lm.train(cfg, lm.progress_printer(cfg.steps)), options.to)
    model, tokenizer = lm.load(options.to)
    figures = quality.judge(model, tokenizer)
    text = card.card(figures, cfg, model.num_parameters(), tokenizer.get_vocab_size())
    (options.to / "README.md").write_text(text)
    print(card.figures(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
