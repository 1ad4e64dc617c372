"""Figures for people."""

DIGITS = 3
"""Number of digits shown: further ones are noise."""

_WHOLE = 100


def figure(value: float) -> str:
    """Write a figure with three significant digits: 118,000, 8.47, 0.042."""
    if not value:
        return "0"
    value = float(f"{value:.{DIGITS}g}")
    if abs(value) >= _WHOLE:
        return f"{value:,.0f}"
    text = f"{value:.{DIGITS + 6}f}".rstrip("0")
    return text.rstrip(".")


def times(ratio: float) -> str:
    """Write a ratio."""
    return f"{ratio:.1f}" if ratio < _WHOLE else f"{ratio:,.0f}"


def dollars(value: float) -> str:
    """Write an amount of money."""
    return f"${value:,.2f}" if value >= 0.1 else f"${value:.3f}"  # noqa: PLR2004 - below ten cents cents are too coarse
