"""Ansible module: the files of one topic in one visit of the host; all are checked before the first one lands."""  # noqa: INP001 - sent to hosts

from __future__ import annotations

import glob
import grp
import os
import pwd
import shutil
import tempfile
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: yiwang_files
short_description: Files, directories and links of one topic, whole, in one visit
description:
  - Every file is written whole and atomically; nothing lands before each new content has passed its validation.
options:
  files:
    description: What is to be there.
    type: list
    elements: dict
    default: []
    suboptions:
      path: {type: path, required: true, description: Where.}
      content: {type: str, description: Text of a file; it ends with a newline in any case.}
      target: {type: str, description: Target of a symbolic link.}
      state: {type: str, choices: [file, directory, link, absent], default: file, description: What it is.}
      mode: {type: str, description: "Octal, quoted; 0644 for files, 0755 for directories by default."}
      owner: {type: str, default: root, description: Owner.}
      group: {type: str, default: root, description: Group.}
      validate: {type: str, description: "A command that must accept the new content; %s is its file."}
  only:
    description: Glob patterns; what they match and files does not name is removed.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Names
  yiwang_files:
    files:
      - {path: /etc/hostname, content: "p-core\n"}
"""

RETURN = r"""
paths: {type: list, returned: always, description: What was changed.}
"""

ENTRY = {
    "path": {"type": "path", "required": True},
    "content": {"type": "str", "no_log": False},
    "target": {"type": "str"},
    "state": {"type": "str", "choices": ["file", "directory", "link", "absent"], "default": "file"},
    "mode": {"type": "str"},
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": "root"},
    "validate": {"type": "str"},
}


def text_of(path: Path) -> str:
    """What a difference shows of a path."""
    if path.is_symlink():
        return f"link to {path.readlink()}\n"
    if path.is_dir():
        return "directory\n"
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


class Files:
    """Plans all entries, then carries them out."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.changed: list[str] = []
        self.diff: list[dict[str, str]] = []
        self.staged: list[tuple[str, dict[str, Any]]] = []

    def run(self) -> None:
        """Do everything, and report."""
        entries = [{**entry, "path": Path(entry["path"])} for entry in self.module.params["files"]]
        named = {str(entry["path"]) for entry in entries}
        surplus = sorted({path for pattern in self.module.params["only"] for path in glob.glob(pattern)} - named)  # noqa: PTH207 - patterns are absolute
        entries += [{"path": Path(path), "state": "absent"} for path in surplus]
        try:
            for entry in entries:
                if entry["state"] == "file":
                    self.stage(entry)
                elif entry["state"] == "link" and not self.module.check_mode and not (entry["path"].parent / entry["target"]).exists():
                    self.module.fail_json(msg=f"{entry['path']}: there is no {entry['target']} that a link could lead to")
            for entry in entries:
                getattr(self, entry["state"])(entry)
        finally:
            for temporary, _ in self.staged:
                Path(temporary).unlink(missing_ok=True)
        self.module.exit_json(changed=bool(self.changed), paths=self.changed, diff=self.diff)

    def stage(self, entry: dict[str, Any]) -> None:
        """Write new content beside the others and let its validation judge it."""
        entry["content"] = entry["content"].removesuffix("\n") + "\n"
        path, content = entry["path"], entry["content"].encode()
        entry["same"] = path.is_file() and not path.is_symlink() and path.read_bytes() == content
        if entry["same"] or self.module.check_mode:
            return
        descriptor, name = tempfile.mkstemp(dir=self.module.tmpdir)
        self.staged.append((name, entry))
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        entry["staged"] = name
        if entry["validate"]:
            code, out, err = self.module.run_command(entry["validate"] % name)
            if code:
                self.module.fail_json(msg=f"{path}: {entry['validate'] % path} refuses the new content: {(err or out).strip()}")

    def note(self, entry: dict[str, Any], after: str) -> None:
        """Remember one change."""
        path = entry["path"]
        self.changed.append(str(path))
        self.diff.append({"before": text_of(path), "after": after, "before_header": str(path), "after_header": str(path)})

    def file(self, entry: dict[str, Any]) -> None:
        """A file with its content."""
        if not entry["same"]:
            self.note(entry, entry["content"])
            if not self.module.check_mode:
                if entry["path"].is_dir() and not entry["path"].is_symlink():
                    self.module.fail_json(msg=f"{entry['path']} is a directory; move it away")
                entry["path"].parent.mkdir(parents=True, exist_ok=True)
                self.module.set_fs_attributes_if_different(self.attributes(entry, "0644", entry["staged"]), changed=False)
                self.module.atomic_move(entry["staged"], str(entry["path"]), keep_dest_attrs=False)
        self.own(entry, "0644")

    def directory(self, entry: dict[str, Any]) -> None:
        """A directory."""
        if not entry["path"].is_dir():
            self.note(entry, "directory\n")
            if not self.module.check_mode:
                entry["path"].mkdir(parents=True)
        self.own(entry, "0755")

    def link(self, entry: dict[str, Any]) -> None:
        """A symbolic link, replaced in one step."""
        path: Path = entry["path"]
        if path.is_symlink() and str(path.readlink()) == entry["target"]:
            return
        self.note(entry, f"link to {entry['target']}\n")
        if not self.module.check_mode:
            fresh = path.with_name(f".{path.name}.new")
            fresh.unlink(missing_ok=True)
            fresh.symlink_to(entry["target"])
            fresh.replace(path)

    def absent(self, entry: dict[str, Any]) -> None:
        """Nothing there."""
        path: Path = entry["path"]
        if not path.exists() and not path.is_symlink():
            return
        self.note(entry, "")
        if not self.module.check_mode:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()

    def attributes(self, entry: dict[str, Any], mode: str, path: str | None = None) -> dict[str, Any]:
        """Owner, group and mode as Ansible's helper takes them."""
        wanted = {"path": path or str(entry["path"]), "owner": entry["owner"], "group": entry["group"], "mode": entry["mode"] or mode}
        return {
            **wanted,
            "seuser": None,
            "serole": None,
            "setype": None,
            "selevel": None,
            "secontext": [None, None, None],
            "attributes": None,
        }

    def own(self, entry: dict[str, Any], mode: str) -> None:
        """Owner, group and mode of what is there; a dry run passes over accounts that do not exist yet."""
        if not entry["path"].exists():
            return
        wanted = self.attributes(entry, mode)
        if self.module.check_mode:
            wanted["owner"] = wanted["owner"] if _known(pwd.getpwnam, wanted["owner"]) else None
            wanted["group"] = wanted["group"] if _known(grp.getgrnam, wanted["group"]) else None
        if self.module.set_fs_attributes_if_different(wanted, changed=False) and str(entry["path"]) not in self.changed:
            self.changed.append(str(entry["path"]))
            after = f"{wanted['owner']}:{wanted['group']} {wanted['mode']}\n"
            self.diff.append({"before": "", "after": after, "before_header": str(entry["path"]), "after_header": str(entry["path"])})


def _known(lookup: Any, name: str) -> bool:
    try:
        lookup(name)
    except KeyError:
        return False
    return True


def main() -> None:
    """The module's entry."""
    options = {
        "files": {"type": "list", "elements": "dict", "default": [], "options": ENTRY, "required_if": [("state", "file", ["content"])]},
        "only": {"type": "list", "elements": "str", "default": []},
    }
    Files(AnsibleModule(argument_spec=options, supports_check_mode=True)).run()


if __name__ == "__main__":
    main()
