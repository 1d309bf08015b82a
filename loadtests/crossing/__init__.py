"""Sessions and jobs that are under way while a platform goes from one region to the other: a process of its own."""
