"""`python -m drillbook` is the same as `drillbook`."""

from drillbook.cli import main

main()
