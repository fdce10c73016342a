"""Parsing lines of delimited text into float32 at the speed that a gzip stream is unpacked with.

Compiled by numba, and used for large files only (pandas', Arrow's and polars' parsers take about four times as long a
core). `delimited` says the same in plain Python, for small files; a test holds the two equal.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heteroage.compiled import compiled

TEXT, VALUE = 1, 2  # what to make of a column; 0 leaves it out

_POWERS = 10.0 ** np.arange(23)  # those that float64 holds exactly
_WHOLE = np.uint64(10) ** np.arange(9, dtype=np.uint64)
_ZEROS = np.uint64(0x3030303030303030)  # eight characters "0"
_QUOTE, _MINUS, _PLUS, _POINT, _NEWLINE, _RETURN = 34, 45, 43, 46, 10, 13


@compiled
def parse_lines(
    text: NDArray[np.uint8],
    delimiter: int,
    kinds: NDArray[np.int8],
    values: NDArray[np.float32],
    spans: NDArray[np.int64],
    odd: NDArray[np.int64],
) -> tuple[int, int, int]:
    """Parse whole lines, the last one ended by a newline.

    Parameters
    ----------
    text : (bytes,)
    kinds : (columns,) TEXT, VALUE, or 0 for columns that are left out
    values : (lines, VALUE columns), filled; empty fields become NaN
    spans : (lines, TEXT columns, 2), filled with where each text starts and ends
    odd : (capacity, 4), filled with line, VALUE column, start and end of fields that are left to the caller

    Returns
    -------
    lines parsed, odd fields found (perhaps more than fit), and the start of a line with too few or too many fields
    (-1 if there is none)
    """
    i, line, n_odd = 0, 0, 0
    last = len(kinds) - 1
    while i < len(text):
        if text[i] == _NEWLINE or text[i] == _RETURN:  # an empty line
            i += 1
            continue
        line_start, n_values, n_texts = i, 0, 0
        usual = np.uint64(0)  # decimals of the longest number so far: most end in no 0, which writers leave out
        for column in range(last + 1):
            start = i
            read = False
            if kinds[column] == VALUE:
                number, read = _usual_decimal(text, i, _NEWLINE if column == last else delimiter, usual)
                if read:
                    i += 2 + np.int64(usual)
                else:
                    i, number, decimals, read = _short_decimal(text, i, delimiter)
                    usual = max(usual, decimals)
                if read:
                    values[line, n_values] = number
                else:
                    i, read = _number(text, start, delimiter, values, line, n_values)
            if not read:
                i = _field_end(text, start, delimiter)
                end = i - 1 if text[i] == _NEWLINE and i > start and text[i - 1] == _RETURN else i
                if kinds[column] == VALUE:
                    values[line, n_values] = np.nan
                    if end > start:
                        if n_odd < len(odd):
                            odd[n_odd, 0], odd[n_odd, 1], odd[n_odd, 2], odd[n_odd, 3] = line, n_values, start, end
                        n_odd += 1
                elif kinds[column] == TEXT:
                    spans[line, n_texts, 0], spans[line, n_texts, 1] = start, end
            n_values += kinds[column] == VALUE
            n_texts += kinds[column] == TEXT
            if (text[i] == delimiter) == (column == last):
                return line, n_odd, line_start
            i += 1
        line += 1
    return line, n_odd, -1


@compiled
def _usual_decimal(text: NDArray[np.uint8], start: int, ending: int, decimals: np.uint64) -> tuple[float, bool]:
    """Read a number of one digit, a point and so many decimals (1 to 8), and `ending` behind; False for all else.

    With the length guessed, the processor begins the next fields before it is done with this one, which it cannot where
    it has to count digits to know where the next field is.
    """
    at = np.uint64(start)
    if decimals == np.uint64(0) or decimals > np.uint64(8) or at + np.uint64(11) > np.uint64(len(text)):
        return 0.0, False
    whole = np.uint64(text[at]) - np.uint64(48)
    behind = at + np.uint64(2) + decimals
    if whole > np.uint64(9) or text[at + np.uint64(1)] != _POINT or text[behind] != ending:
        return 0.0, False
    values = (_eight(text, at + np.uint64(2)) ^ _ZEROS) << (np.uint64(64) - np.uint64(8) * decimals)
    if _no_digits(values) != np.uint64(0):
        return 0.0, False
    return np.float64(np.int64(whole * _WHOLE[decimals] + _make_number(values))) / _POWERS[decimals], True


@compiled
def _short_decimal(text: NDArray[np.uint8], start: int, delimiter: int) -> tuple[int, float, np.uint64, bool]:
    """Read a number of one digit and up to 14 decimals, exact in float64 before its one division; False for all else.

    Positions are unsigned, which spares a check for negative ones at every byte.

    Returns
    -------
    where the field ends, the number, how many decimals it has, and whether it was such a number
    """
    at = np.uint64(start)
    if at + np.uint64(20) > np.uint64(len(text)):  # a sign, a digit, a point, two times eight bytes, and one behind
        return start, 0.0, np.uint64(0), False
    negative = text[at] == _MINUS
    if negative:
        at += np.uint64(1)
    mantissa = np.uint64(text[at]) - np.uint64(48)
    if mantissa > np.uint64(9):
        return start, 0.0, np.uint64(0), False
    at += np.uint64(1)
    decimals = np.uint64(0)
    if text[at] == _POINT:
        at += np.uint64(1)
        decimals, number = _digits(_eight(text, at))
        mantissa = mantissa * _WHOLE[decimals] + number
        at += decimals
        if decimals == np.uint64(8):
            more, number = _digits(_eight(text, at))
            mantissa = mantissa * _WHOLE[more] + number
            at += more
            decimals += more
    if decimals > np.uint64(14) or (text[at] != delimiter and text[at] != _NEWLINE):
        return start, 0.0, np.uint64(0), False
    number = np.float64(np.int64(mantissa)) / _POWERS[decimals]
    return np.int64(at), -number if negative else number, decimals, True


@compiled
def count_lines(text: NDArray[np.uint8]) -> int:
    """Count newlines: some times faster than NumPy or bytes.count."""
    count = 0
    for byte in text:
        count += byte == _NEWLINE
    return count


@compiled
def _eight(text: NDArray[np.uint8], at: np.uint64) -> np.uint64:
    """Eight bytes as one number, the first the lowest: compiled to one load."""
    found = np.uint64(0)
    for k in range(8):
        found |= np.uint64(text[at + np.uint64(k)]) << np.uint64(8 * k)
    return found


@compiled
def _digits(eight: np.uint64) -> tuple[np.uint64, np.uint64]:
    """How many of eight bytes are digits before one that is none, and the number they make.

    All eight are looked at in one register (Mula 2014, "SIMD-ized conversion"; Lemire 2018): a branch per digit would
    be foretold wrongly wherever numbers differ in length.
    """
    values = eight ^ _ZEROS  # 0 to 9 where there are digits
    other = _no_digits(values)
    if other == np.uint64(0):
        count = np.uint64(8)
    else:
        before = (other ^ (other - np.uint64(1))) >> np.uint64(8)  # ones in all bytes before the first of them
        count = (before & np.uint64(0x0101010101010101)) * np.uint64(0x0101010101010101) >> np.uint64(56)
        if count == np.uint64(0):
            return count, count
        values <<= np.uint64(64) - np.uint64(8) * count  # now the bytes in front are zeros
    return count, _make_number(values)


@compiled
def _no_digits(values: np.uint64) -> np.uint64:
    """The highest bit of every byte that is over 9."""
    return (values + np.uint64(0x7676767676767676) | values) & np.uint64(0x8080808080808080)


@compiled
def _make_number(values: np.uint64) -> np.uint64:
    """The number of eight digits, the first in the lowest byte."""
    values = values * np.uint64(10) + (values >> np.uint64(8))  # pairs, in every other byte
    low, high = values & np.uint64(0x000000FF000000FF), values >> np.uint64(16) & np.uint64(0x000000FF000000FF)
    return (low * np.uint64(100 + (1000000 << 32)) + high * np.uint64(1 + (10000 << 32))) >> np.uint64(32)


@compiled
def _number(
    text: NDArray[np.uint8], i: int, delimiter: int, values: NDArray[np.float32], line: int, column: int
) -> tuple[int, bool]:
    """Read a plain decimal number; False where it is anything else, or where float32 might round it otherwise."""
    negative = text[i] == _MINUS
    if negative:
        i += 1
    mantissa, digits, decimals = np.uint64(0), 0, 0
    while np.uint8(text[i] - 48) <= 9:
        mantissa = mantissa * np.uint64(10) + np.uint64(text[i] - 48)
        digits += 1
        i += 1
    if text[i] == _POINT:
        i += 1
        while np.uint8(text[i] - 48) <= 9:
            mantissa = mantissa * np.uint64(10) + np.uint64(text[i] - 48)
            decimals += 1
            i += 1
    digits += decimals
    exponent = 0
    if (text[i] | 32) == 101 and digits > 0:  # e or E
        i += 1
        falling = text[i] == _MINUS
        if falling or text[i] == _PLUS:
            i += 1
        begun = i
        while np.uint8(text[i] - 48) <= 9 and i < begun + 4:
            exponent = exponent * 10 + np.int64(text[i] - 48)
            i += 1
        if i == begun:
            return i, False
        if falling:
            exponent = -exponent
    if text[i] == _RETURN and text[i + 1] == _NEWLINE:
        i += 1
    if digits == 0 or digits > 19 or not (text[i] == delimiter or text[i] == _NEWLINE):
        return i, False
    power = decimals - exponent
    if power > 22 or power < -22:
        return i, False
    number = np.float64(mantissa) / _POWERS[power] if power >= 0 else np.float64(mantissa) * _POWERS[-power]
    if mantissa > np.uint64(1 << 53):
        # Two roundings, so that `number` may be a few units off: it must not lie between two float32.
        single = np.float32(number)
        gap = abs(number - np.float64(single))
        spacing = np.float64(np.nextafter(single, np.float32(np.inf))) - np.float64(single)
        # Below a power of two the spacing is half as wide.
        if abs(gap - spacing / 2) < spacing * 1e-7 or abs(gap - spacing / 4) < spacing * 1e-7:
            return i, False
    values[line, column] = -number if negative else number
    return i, True


@compiled
def _field_end(text: NDArray[np.uint8], i: int, delimiter: int) -> int:
    """Where a field ends: at a delimiter or newline outside quotes."""
    if text[i] == _QUOTE:
        i += 1
        while i < len(text) - 1 and text[i] != _NEWLINE and not (text[i] == _QUOTE and text[i + 1] != _QUOTE):
            i += 2 if text[i] == _QUOTE else 1
    while text[i] != delimiter and text[i] != _NEWLINE:
        i += 1
    return i
