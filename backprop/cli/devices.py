"""`backprop devices`: list the backends."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from ..backends import available_backends
from .screen import say


def main(options: argparse.Namespace) -> int:
    """List each backend with its version and device, or with the cause and cure of its absence."""
    statuses = available_backends()
    if options.json:
        print(json.dumps([asdict(status) for status in statuses]))
        return 0
    for status in statuses:
        if status.usable:
            say(f"{status.name:8}usable    {status.version} on {status.device}", indent=8)
        else:
            say(f"{status.name:8}missing   {status.cause}; {status.cure}", indent=8)
    return 0
