"""Files that others made, read without trust: nothing in them fills the memory, and each wrong row is told."""
