"""Decide: frozen values and pure functions."""
