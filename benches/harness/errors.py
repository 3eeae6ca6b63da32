"""Why there is no figure."""


class Failed(Exception):
    """Something that a measurement needs did not work; shown in place of the figure."""


class NotInThisVersion(Exception):
    """What is measured is in the contract, and this binary does not have it yet."""
