"""GenAI-Perf's files, made from a tape, for scripts and tools that read them.

Layouts are those of genai-perf 0.0.16dev and perf_analyzer (triton-inference-server/perf_analyzer at 263c5f6).
"""

from .artifacts import artifact_directory, write_genai_perf
from .input_config import config_of

__all__ = ["artifact_directory", "config_of", "write_genai_perf"]
