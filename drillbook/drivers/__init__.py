"""One module for each outside system; every one stands behind a port of `drillbook.ports`."""
