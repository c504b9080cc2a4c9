"""The parts of the benchmark; `benchmark.py` runs them."""
