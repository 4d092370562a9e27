"""Files of others as archives: read without trust, row by row."""
