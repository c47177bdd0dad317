"""A province's own site: its authority, what its cities are handed, and its components."""

from yiwang.components import Authority, Base, authority, current

here = current()
owner = Authority(here, (here.site, *here.below))
authority.export(owner, here.below)

Base(here, owner.issuers[here.site.name]).export()
