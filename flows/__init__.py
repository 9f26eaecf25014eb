"""Order: one flow a file; the only place where tasks meet."""
