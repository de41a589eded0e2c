"""From files to checked values: compression, CSV, JSON, JSON Lines, Parquet, and the checks of single fields."""
