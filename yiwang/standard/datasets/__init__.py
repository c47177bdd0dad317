"""The data sets of GB/T 39046-2020 as models. They need pydantic, which the codes and tables do not: import this only where they are used.

``SETS`` holds all of them by name. A field knows its Chinese name, its format, and its row where they are known (``describe``), a set its
JSON Schema (``document``), a record what is wrong between its fields (``findings``). E-licences (6.9.3) follow GB/T 36902-2018, whose
elements were not read: there is no model of them.

A model is built when it is first used, and the annotations of models are no texts (their modules have no ``from __future__ import
annotations``), which pydantic would compile one by one: that saves a third of what the import costs.
"""

from yiwang.standard.datasets.base import DataSet, Element, FieldInfo, Format
from yiwang.standard.datasets.cases import Acceptance, Application, ApplicationMaterial, Completion, Evaluation, Step
from yiwang.standard.datasets.interactions import Complaint, Consultation, Supervision
from yiwang.standard.datasets.items import Item, ItemMaterial
from yiwang.standard.datasets.rules import Difference, differences
from yiwang.standard.datasets.support import CatalogueEntry, Delivery, LegalPerson, NaturalPerson, Payment, Seal

SETS: dict[str, type[DataSet]] = {
    each.kind: each
    for each in (
        Item,
        ItemMaterial,
        Application,
        ApplicationMaterial,
        Acceptance,
        Step,
        Completion,
        Evaluation,
        Consultation,
        Complaint,
        Supervision,
        NaturalPerson,
        LegalPerson,
        Seal,
        Payment,
        Delivery,
        CatalogueEntry,
    )
}

__all__ = [
    "SETS",
    "Acceptance",
    "Application",
    "ApplicationMaterial",
    "CatalogueEntry",
    "Complaint",
    "Completion",
    "Consultation",
    "DataSet",
    "Delivery",
    "Difference",
    "Element",
    "Evaluation",
    "FieldInfo",
    "Format",
    "Item",
    "ItemMaterial",
    "LegalPerson",
    "NaturalPerson",
    "Payment",
    "Seal",
    "Step",
    "Supervision",
    "differences",
]
