module drillbook/benchmarks/target

go 1.24.0
