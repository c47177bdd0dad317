"""``python -m yiwang``."""

from __future__ import annotations

import os
import sys

INTERRUPTED = 130


def _open_streams() -> None:
    """A stream that was closed (``2>&-``) goes nowhere: else a file that is opened later would take its place."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def main() -> None:
    """The console script: Ctrl-C while the first modules load ends it like any other, without a traceback."""
    _open_streams()
    try:
        from yiwang.cli import main as run  # noqa: PLC0415 - this is what may be interrupted
    except KeyboardInterrupt:
        # No catalogue has been read yet.
        print("interrupted / 已中断", file=sys.stderr)
        sys.exit(INTERRUPTED)
    run()


if __name__ == "__main__":
    main()
