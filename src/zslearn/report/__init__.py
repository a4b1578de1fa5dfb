"""Tables and pictures from records; no torch is needed here."""

from typing import Final, Literal, get_args

Format = Literal["html", "md", "latex", "csv"]
"""What a report may be written as."""
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
