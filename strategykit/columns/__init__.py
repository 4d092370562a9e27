"""Market data as columns: one array a field instead of one object an event."""
