"""The check characters of the national codes.

Each function takes characters of the right alphabet only (KeyError or ValueError otherwise); the parsers see to that.
"""

from __future__ import annotations

import operator

DIGITS = "0123456789"
ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# GB 32100 leaves out I, O, S, V and Z.
CREDIT_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"

_VALUE36 = {character: value for value, character in enumerate(ALPHANUMERIC)}
_CREDIT_VALUE = {character: value for value, character in enumerate(CREDIT_ALPHABET)}
# The same values written as the digits that int() knows.
_CREDIT_DIGIT = bytes.maketrans(CREDIT_ALPHABET.encode(), ALPHANUMERIC[:31].encode())
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_ORGANISATION_CHECK = "0X987654321"
# One table a position: the weighted value of each character; summing eight look-ups is what a million checks can afford.
_ORGANISATION = tuple({character: value * weight for character, value in _VALUE36.items()} for weight in _ORGANISATION_WEIGHTS)
_IDENTITY_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_IDENTITY_CHECK = "10X98765432"


def credit(first17: str) -> str:
    """The 18th character of a social credit code.

    GB 32100-2015 (confidence high): the weight of character i is 3^(i-1) mod 31 and the weighted sum with the check is 0 mod 31.
    34 is 3 modulo 31, so that sum is the number which the reversed characters write in base 34: one call of int() does it.
    """
    total = int(first17[::-1].encode("ascii").translate(_CREDIT_DIGIT), 34)
    return CREDIT_ALPHABET[-total % 31]


def credit_matches(code: str) -> bool:
    """Whether the 18th character of ``code`` is the one that ``credit`` asks for."""
    return (int(code[16::-1].encode("ascii").translate(_CREDIT_DIGIT), 34) + _CREDIT_VALUE[code[17]]) % 31 == 0


def organisation(first8: str) -> str:
    """The check character of an organisation code: weights 3 7 9 10 5 8 4 2, letters from A=10, modulo 11, 10 written X.

    GB 11714 (confidence high).
    """
    return _ORGANISATION_CHECK[sum(map(operator.getitem, _ORGANISATION, first8)) % 11]


def identity(first17: str) -> str:
    """The 18th character of a citizen identity number: ISO 7064 MOD 11-2.

    GB 11643-1999 (confidence high).
    """
    return _IDENTITY_CHECK[sum(int(digit) * weight for digit, weight in zip(first17, _IDENTITY_WEIGHTS, strict=True)) % 11]


def licence(text: str) -> str:
    """The check character of an e-licence identifier: ISO/IEC 7064 MOD 37,36 over the parts without dots and root.

    GB/T 36904-2018, GB/T 17710-2008 (confidence high).
    """
    product = 36
    for character in text:
        product = ((product + _VALUE36[character]) % 36 or 36) * 2 % 37
    return ALPHANUMERIC[(37 - product) % 36]


def licence_by_faulty_routine(text: str) -> str | None:
    """What a faulty routine in circulation gives instead: it values letters 11 to 36 and carries them at 37.

    Only good for naming the cause of a wrong check character; recomputed from one identifier that is wrong in this way (confidence high).
    None where that routine fails.
    """
    product = 36
    for character in text:
        value = _VALUE36[character]
        total = product + value
        if value >= 10:
            total += 1
            if total > 37:
                total %= 37
        product = (total % 36 or 36) * 2 % 37
    return ALPHANUMERIC[36 - product] if product else None
