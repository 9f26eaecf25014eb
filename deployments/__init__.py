"""Place: where flows run, and what starts them; no decisions."""
