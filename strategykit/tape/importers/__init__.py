"""Other people's recordings as tapes."""
