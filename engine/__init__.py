"""The engine: what turns a trace into a plan, a plan into a tape, a tape into a summary."""
