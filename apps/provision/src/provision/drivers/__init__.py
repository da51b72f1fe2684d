"""Drivers: how a host makes, starts, reboots and destroys customers' servers."""
