"""`backprop devices`."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from backends import available_backends


def run(options: argparse.Namespace) -> int:
    """List every backend: its version and device, or the cause and the cure."""
    statuses = available_backends()
    if options.json:
        print(json.dumps([asdict(status) for status in statuses]))
        return 0
    for status in statuses:
        if status.usable:
            print(f"{status.name:8}usable    {status.version} on {status.device}")
        else:
            print(f"{status.name:8}missing   {status.cause}; {status.cure}")
    return 0
