"""Tables and pictures from records; no torch is needed here."""
