"""Plans: which requests are sent, and when. Pure functions; no clock is read."""

from .arrival_process import PROCESSES, Process, Segment, arrivals, constant_rate, ramp
from .load_control import Load
from .plan import Plan, Sessions, Think, make_plan, peak_rows
from .profile_plan import Choice, Order, Pace, profile_plan
from .shards import Shard, shard_fan_in, shard_links, shards

__all__ = [
    "PROCESSES",
    "Choice",
    "Load",
    "Order",
    "Pace",
    "Plan",
    "Process",
    "Segment",
    "Sessions",
    "Shard",
    "Think",
    "arrivals",
    "constant_rate",
    "make_plan",
    "peak_rows",
    "profile_plan",
    "ramp",
    "shard_fan_in",
    "shard_links",
    "shards",
]
