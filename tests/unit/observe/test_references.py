"""How people name actors: reading, ranking and sorting printed addresses."""

from __future__ import annotations

import pytest

from garrick.address import Address
from garrick.observe.references import AT_BORDER, EXACT, PART, Place, fit, natural, read_address

ADDRESS = "shop@00000000aa/2/3.17"


@pytest.mark.parametrize("serial", [1, 3 << 40 | 17, 0xAB << 80 | 5 << 40 | 1])
def test_what_an_address_prints_is_read_again(serial: int) -> None:
    address: Address[object] = Address("shop@00000000aa", 2, serial)
    assert read_address(str(address)) == Place(address.system, 2, serial)
    assert read_address(str(address).partition("/")[2]) == Place(None, 2, serial)


@pytest.mark.parametrize("text", ["", "boss", "3.17", "2/3", "/2/3.17", "2/3.17 ", "2/3.-1", "a/b/2/3.17"])
def test_what_is_no_address(text: str) -> None:
    assert read_address(text) is None


@pytest.mark.parametrize(
    ("reference", "grade"),
    [
        (ADDRESS, EXACT),
        ("2/3.17", EXACT),
        ("billing", EXACT),
        ("3.17", AT_BORDER),
        ("17", PART),
        ("2/3", PART),
        ("bill", PART),
        ("illing", None),
        ("4/3.17", None),
        ("nobody", None),
    ],
)
def test_how_well_a_reference_fits(reference: str, grade: int | None) -> None:
    assert fit(reference, ADDRESS, "billing") == grade


def test_addresses_are_sorted_as_numbers() -> None:
    addresses = ["s/2/1.2", "s/10/1.1", "s/2/1.10", "s/2/a.1"]
    assert sorted(addresses, key=natural) == ["s/2/1.2", "s/2/1.10", "s/2/a.1", "s/10/1.1"]
