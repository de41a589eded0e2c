"""Fidelity: how closely a replay followed its trace."""
