"""Nouns: events, instruments, orders, book, bars, portfolio. Pure; imports nothing of the house but errors."""
