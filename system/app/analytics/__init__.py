"""The reference platform's analytics service: ingests events, aggregates them, asks an external service for scores."""
