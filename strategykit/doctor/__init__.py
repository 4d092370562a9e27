"""What is wrong with a session before it runs: its file, its keys, its strategies and the network."""
