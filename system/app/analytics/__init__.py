"""The reference platform's analytics service: ingests events, answers aggregates, asks an external service for scores."""
