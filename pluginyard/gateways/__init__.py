"""What a gateway would say of an artifact, and why."""
