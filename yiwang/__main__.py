"""``python -m yiwang``."""

from __future__ import annotations

import sys

INTERRUPTED = 130


def main() -> None:
    """The console script: Ctrl-C while the first modules load ends it like any other, without a traceback."""
    try:
        from yiwang.cli import main as run  # noqa: PLC0415 - this is what may be interrupted
    except KeyboardInterrupt:
        # No catalogue has been read yet.
        print("interrupted / 已中断", file=sys.stderr)
        sys.exit(INTERRUPTED)
    run()


if __name__ == "__main__":
    main()
