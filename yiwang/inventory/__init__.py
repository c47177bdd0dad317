"""One province's inventory: the files it is written in, and the typed model that everything else works with."""

from yiwang.inventory.errors import Finding, InventoryError
from yiwang.inventory.loader import load
from yiwang.inventory.model import Access, Contact, Host, Name, National, Passphrase, Path, Province, Site, Zone

__all__ = [
    "Access",
    "Contact",
    "Finding",
    "Host",
    "InventoryError",
    "Name",
    "National",
    "Passphrase",
    "Path",
    "Province",
    "Site",
    "Zone",
    "load",
]
