"""The provider process with the roles of these tests and a province from a JSON file (``PROBE_PROVINCE``)."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

from yiwang import paths
from yiwang.provider import __main__, settings

_data = paths.data


def _province(_settings: settings.Settings) -> SimpleNamespace:
    said = json.loads(Path(os.environ["PROBE_PROVINCE"]).read_text())
    return SimpleNamespace(
        state_dir=Path(said["state_dir"]),
        access=SimpleNamespace(user="yiwang", bootstrap_user="root", key_file=Path(said["key_file"])),
        hosts={},
    )


if __name__ == "__main__":
    setattr(paths, "data", lambda tree: Path(__file__).parent / "roles" if tree == "roles" else _data(tree))  # noqa: B010 - a stand-in
    setattr(settings.Settings, "province", _province)  # noqa: B010 - a stand-in
    __main__.main()
