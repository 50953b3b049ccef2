"""All that a GPU has to prove and to measure, in ten minutes: `python -m benchmarks.gpu_day --help`."""
