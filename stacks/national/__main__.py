"""A stand-in for the state platform above the province, for labs and acceptance tests; it has an authority of its own."""

from yiwang.components import Authority, Base, ExternalStorage, Storage, authority, current

here = current()
owner = Authority(here, (here.site,))
authority.export(owner, ())

base = Base(here, owner.issuers[here.site.name])
base.export()

if here.on_servers("storage"):
    Storage(here, base).export()
if here.is_external("storage"):
    ExternalStorage(here).export()
