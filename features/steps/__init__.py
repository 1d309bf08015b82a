"""Thin sentences, one file for each noun; each calls one thing of `drillbook.drill` or of `probes`."""
