module drillbook/twin/pause

go 1.24.0
