"""Networks and training runs on disk: checkpoint files, run folders and histories."""

from ..lazy import lazy_names

# The command line reads a checkpoint's description before it loads NumPy.
__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "checkpoint": (
            "Checkpoint",
            "CheckpointError",
            "ResumeWarning",
            "read_checkpoint",
            "write_checkpoint",
        ),
        "network": ("load_network", "restore_network", "save_network"),
        "optimizer_config": ("optimizer_from_config",),
    },
    globals(),
)
