"""The load that Locust makes by itself: users who wait for their answers, as often as `constant_throughput` says."""

from __future__ import annotations

import os

from locust import FastHttpUser, constant_throughput, task


class Paced(FastHttpUser):
    """Asks as often as its share of the rate, and later when the answer before came later."""

    host = os.environ["URL"]
    wait_time = constant_throughput(float(os.environ["RATE_HZ"]) / int(os.environ["USERS"]))

    @task
    def ask(self) -> None:
        """One request."""
        self.client.get("/")
