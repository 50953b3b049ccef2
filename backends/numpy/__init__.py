"""NumPy on the CPU: the backend, its fast functions, and its recordings."""
