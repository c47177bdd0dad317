"""A province's own site: its authority, what its cities are handed, and its components."""

from yiwang.components import Authority, Base, ExternalStorage, Storage, authority, current

here = current()
owner = Authority(here, (here.site, *here.below))
authority.export(owner, here.below)

base = Base(here, owner.issuers[here.site.name])
base.export()

if here.on_servers("storage"):
    Storage(here, base).export()
if here.is_external("storage"):
    ExternalStorage(here).export()
