"""To the registries and back."""
