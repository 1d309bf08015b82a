"""Thin sentences, one file for each noun; each calls one thing of `drillbook.drills.drill` or of `probes`."""
