"""CuPy on an NVIDIA GPU: the backend, its CUDA graphs, and cuBLAS within them."""
