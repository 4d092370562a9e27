"""T4's schema, version 1, and what `make proto` generates from it. Don't edit the generated modules."""
