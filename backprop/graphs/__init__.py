"""Computational graphs with their numbers on the edges."""

from .graph import Graph, GraphEdge, GraphNode, Kind

__all__ = ["Graph", "GraphEdge", "GraphNode", "Kind"]
