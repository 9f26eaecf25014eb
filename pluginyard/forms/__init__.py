"""The parameters of the flows, and so the forms in the UI."""
