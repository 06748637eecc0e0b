"""`python -m csae_bench.cli` is `csae-bench`."""

from csae_bench.cli.main import main

if __name__ == "__main__":
    main(prog_name="csae-bench")
