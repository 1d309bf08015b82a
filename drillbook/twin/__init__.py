"""The reference platform on one Linux machine: two regions of real Kubernetes in network namespaces."""
