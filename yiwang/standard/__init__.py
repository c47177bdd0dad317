"""National codes, tables and data sets; imports nothing of the rest of the package.

A code is a value: ``uscc.Uscc``, ``idcard.IdCard``, ``division.DivisionCode``, ``item.ItemCode``, ``case.CaseNumber``,
``licence.LicenceId``, ``resource.ResourceCode``, each with ``parse``; ``kinds.KINDS`` has them by name. Tables are enums in ``tables``,
divisions in ``divisions``, working days in ``workdays``. Whatever is wrong is an ``errors.CodeError``. ``datasets`` needs pydantic, the
rest Python alone (``workdays`` its library of holidays, when they are asked for). See README.md beside this file.
"""
