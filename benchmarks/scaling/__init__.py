"""How the time of a training step depends on the number of processes: measured, fitted and predicted."""
