"""A commit as found: its tree, paths within it, and what a compiler can read of it."""
