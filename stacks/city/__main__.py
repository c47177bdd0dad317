"""One city: its components, under the authority that the province has made for it."""

from yiwang.components import Base, ExternalStorage, Storage, authority, current

here = current()

base = Base(here, authority.issuer_of(here))
base.export()

if here.on_servers("storage"):
    Storage(here, base).export()
if here.is_external("storage"):
    ExternalStorage(here).export()
