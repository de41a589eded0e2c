"""What a run sends, from options to a sealed tape: a trace to replay, or a load to profile with."""
