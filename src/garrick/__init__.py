"""Garrick: an actor system for Python."""
