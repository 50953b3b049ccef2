# For type checkers: at run time the folder `backends` is loaded under this name.
from backends import *  # noqa: F403
from backends import digest as digest
