"""One upstream for many processes and machines: a venue's market data, served on the seed server's protocol."""
