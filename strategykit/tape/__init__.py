"""Recordings of what the wires saw, both directions: written safely, read without trust."""
