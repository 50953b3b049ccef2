"""Compare backprop with other libraries on the same work: `python -m benchmarks --help`."""
