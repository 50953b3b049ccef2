from .checkpoint import Checkpoint as Checkpoint
from .checkpoint import CheckpointError as CheckpointError
from .checkpoint import ResumeWarning as ResumeWarning
from .checkpoint import read_checkpoint as read_checkpoint
from .checkpoint import write_checkpoint as write_checkpoint
from .network import load_network as load_network
from .network import restore_network as restore_network
from .network import save_network as save_network
