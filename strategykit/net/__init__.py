"""Wires: sockets, connections and their restoring. Knows frames and lanes, never strategies."""
