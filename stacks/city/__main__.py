"""One city: its components, under the authority that the province has made for it."""

from yiwang.components import Base, authority, current

here = current()

Base(here, authority.issuer_of(here)).export()
