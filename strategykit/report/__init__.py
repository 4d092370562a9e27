"""What a run left, and what it comes to: figures, tables, pages. `Result` is the door."""
