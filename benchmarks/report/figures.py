"""Figures for people."""


def figure(value: float) -> str:
    """Write a figure with three significant digits, for further ones are noise: 118,000, 8.47, 0.042."""
    return f"{float(f'{value:.3g}'):,.15g}"


def times(ratio: float) -> str:
    """Write a ratio."""
    return f"{ratio:.1f}" if ratio < 100 else f"{ratio:,.0f}"  # noqa: PLR2004 - then tenths are noise


def dollars(value: float) -> str:
    """Write an amount of money."""
    return f"${value:,.2f}" if value >= 0.1 else f"${value:.3f}"  # noqa: PLR2004 - below ten cents cents are too coarse


def whole(value: float) -> str:
    """Write a whole number."""
    return f"{round(float(value)):,}"
