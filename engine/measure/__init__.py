"""What a tape says: metrics, tokens, verdict, summary. Reads tapes, makes none."""
