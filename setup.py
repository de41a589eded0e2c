"""Parts of the build that pyproject.toml cannot express: the C extensions and the package tree in build/names.

The folders of this repository are not called as the packages they become
(``tokentape.engine`` lies in ``engine/``). Cython, mypy and pyright find modules by
their folders, so a tree of links under ``build/names`` shows them the names.
"""

import os
from pathlib import Path

from setuptools import Extension, setup

ROOT = Path(__file__).parent.resolve()
NAMES = ROOT / "build" / "names"


def link_names() -> None:
    """Link ``build/names/tokentape`` so that it has the layout of the installed package."""
    package = NAMES / "tokentape"
    package.mkdir(parents=True, exist_ok=True)
    links = {name: ROOT / name for name in ("engine", "cext", "traces")}
    links |= {path.name: path for path in (ROOT / "engine" / "facade").iterdir() if path.suffix in (".py", ".typed")}
    for name, target in links.items():
        link = package / name
        if not link.is_symlink() or link.resolve() != target:
            link.unlink(missing_ok=True)
            link.symlink_to(os.path.relpath(target, package))


def extension(name: str, *rooms: str) -> Extension:
    """One compiled module: ``cext/<name>.pyx`` and all C files of the folders that it wraps.

    Args:
        name: The module's name.
        rooms: Folders of ``cext``, or patterns of C files without their suffix.
    """
    sanitize = os.environ.get("TOKENTAPE_SANITIZE")
    extra = [f"-fsanitize={sanitize}", "-g"] if sanitize else ["-g0"]
    cext = ROOT / "cext"
    parts = [part for room in rooms for part in sorted([*cext.glob(f"{room}/**/*.c"), *cext.glob(f"{room}.c")])]
    return Extension(
        f"tokentape.cext.{name}",
        [f"build/names/tokentape/cext/{name}.pyx", *(str(part.relative_to(ROOT)) for part in parts)],
        include_dirs=["cext"],
        depends=[str(path.relative_to(ROOT)) for path in cext.glob("*/**/*.h")],
        extra_compile_args=["-O3", "-std=gnu11", "-Wall", "-Wextra", "-Wno-unused-parameter", *extra],
        extra_link_args=extra[:1],
        libraries=["dl"],  # dlopen is in libc only since glibc 2.34
    )


link_names()

from Cython.Build import cythonize  # noqa: E402  (needs the links)

MODULES = {
    "parsers": ("parse", "response/event*"),
    "reactor": ("base", "parse", "response", "schedule", "channel", "net", "reactor"),
    "server": ("base", "parse", "net", "server"),
    "recorder": ("base", "parse", "response", "net", "proxy"),
}
setup(
    ext_modules=cythonize(
        [extension(name, *rooms) for name, rooms in MODULES.items()],
        include_path=[str(NAMES)],
        build_dir="build/cython",
        compiler_directives={"language_level": "3", "freethreading_compatible": True},
    )
)
