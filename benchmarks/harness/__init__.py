"""Parts of every benchmark: clients, servers, workloads, processes on chosen cores, and the table of results.

The package that is measured is the repository's own build if there is one, else the installed one.
"""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The repository."""
_BUILT = ROOT / "build" / "names"

if _BUILT.is_dir() and str(_BUILT) not in os.environ.get("PYTHONPATH", "").split(os.pathsep):
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(_BUILT), os.environ.get("PYTHONPATH"))))
    sys.path.insert(0, str(_BUILT))
