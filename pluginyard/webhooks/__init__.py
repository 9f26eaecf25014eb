"""Deliveries of a forge, and the statuses it is sent."""
