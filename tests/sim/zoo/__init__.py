"""Planted bugs: each swaps one function of the real code, and the simulator has to find it. It is how the simulator itself is tested."""
