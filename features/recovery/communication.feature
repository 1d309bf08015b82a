@nightly @recovery @told @destructive @region-primary @region-secondary @DR-2.5
Feature: Whoever is touched by a recovery is told
  A runbook says at each step who is told what. Drills send those messages where the environment says that people read
  them, and ask the receiver what arrived.

  Background:
    Given release 1.0.0 is live and healthy, and the other slot is empty
    And the primary region has the database, and the other region's standby streams from it
    And the environment says where everybody whom the runbooks name is told
    And analysts and collectors are on the platform, metered on new and on reused connections

  Scenario: Who writes is told before a planned switch, and after it
    When the database is switched over to the other region, and back
    Then of each step of the switchover everybody whom its runbook names was told, within 60 s
    And every acknowledged event is there, once and unchanged

  @loss-server
  Scenario: A failover and its failback are told step by step
    When the primary database loses its server, is failed over by itself, and is handed its place back
    Then of each step of the failover and the failback everybody whom its runbook names was told, within 60 s
    And writes were good again within 4 h of the loss, and stayed so for 30 s
