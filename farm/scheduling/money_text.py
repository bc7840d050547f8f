"""Money and moments as a person reads them."""

from datetime import datetime


def money_text(money: float) -> str:
    """Money, in the unit of the fleet file's prices: to a hundredth, or exactly where that would
    say nothing.
    """
    if money == 0 or abs(money) >= 1:
        return f"{money:,.2f}"
    return f"{money:.4g}"


def clock_text(moment: float) -> str:
    """A moment, in seconds since 1970, by the clock of this machine."""
    then, now = datetime.fromtimestamp(moment).astimezone(), datetime.now().astimezone()
    return then.strftime("%H:%M:%S" if then.date() == now.date() else "%Y-%m-%d %H:%M")
