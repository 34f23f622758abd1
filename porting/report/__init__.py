"""Reports: results as terminal tables; nothing is computed here."""
