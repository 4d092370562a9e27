"""Market data as columns on the disk: Parquet that other programs read, too, and that gives the same events back."""
