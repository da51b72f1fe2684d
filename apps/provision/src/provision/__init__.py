"""Provision: Garrick's reference application, which creates, reboots and deletes customers' servers on many hosts."""
