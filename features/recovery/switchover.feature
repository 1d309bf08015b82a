@recovery @region-primary @region-secondary @DEP-3.4
Feature: The database is switched over to its replica as planned, and nobody loses a write
  For a major upgrade the replica is promoted while people use the platform. What is drilled is the change of places, with
  the same PostgreSQL on both sides: that its users lose nothing and wait for seconds, there and back.

  Background:
    Given release 1.0.0 is live and healthy, and the other slot is empty
    And the primary region has the database, and the other region's standby streams from it
    And analysts and collectors are on the platform, metered on new and on reused connections

  @DR-2.3
  Scenario: A planned switch loses no write, nor does the way back
    When the database is switched over to the other region, and back
    Then for at most 30 s in all nothing could be written while it was switched over
    And for at most 30 s in all nothing could be written while it was switched back
    And every acknowledged event is there, once and unchanged
