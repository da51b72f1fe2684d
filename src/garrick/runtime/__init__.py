"""Actors inside ONE process: cells, the lane, the baton, timers, asks, async handlers."""
