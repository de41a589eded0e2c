"""Workloads: replays of traces and profiles, from options to a sealed tape."""
