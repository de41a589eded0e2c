"""What will be sent and when. Pure: no clock is read here."""

from .plan import Plan, Sessions, Think, make_plan, peak_rows
from .shards import shard_links, shards

__all__ = ["Plan", "Sessions", "Think", "make_plan", "peak_rows", "shard_links", "shards"]
