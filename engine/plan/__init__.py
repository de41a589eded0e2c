"""What will be sent and when. Pure: no clock is read here."""

from .plan import Plan, make_plan, peak_rows
from .shards import shards

__all__ = ["Plan", "make_plan", "peak_rows", "shards"]
