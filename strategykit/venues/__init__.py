"""Languages: how each venue says things. Sans-IO: no socket, clock or randomness in this folder."""
