"""The journal of orders: written before anything is sent, read at the next start, and never guessed."""
