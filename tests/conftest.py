"""What all tests share."""

from hypothesis import HealthCheck, settings

# How long an example takes says more about what else the machine does than about us; benchmarks measure time.
settings.register_profile("drillbook", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("drillbook")
