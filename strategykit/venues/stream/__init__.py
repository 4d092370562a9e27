"""Venues that stream JSON under SUBSCRIBE and UNSUBSCRIBE: the seed's server, Backpack, Binance."""
