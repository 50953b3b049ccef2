"""NumPy on the CPU: the backend, and what it needs to be fast."""
