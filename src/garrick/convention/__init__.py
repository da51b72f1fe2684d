"""Many systems: where an actor may run, and who is there. Without input and output."""
