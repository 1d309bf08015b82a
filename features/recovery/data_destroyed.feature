@nightly @recovery @backups @loss-table @destructive @region-primary @region-secondary
Feature: A bad migration destroys a table, and a backup alone brings it back
  The servers are well, the standby has done as it was told, and what users wrote is gone in both regions. Nothing but a
  backup has it, and it has to be back as it was, in time, with the platform going on where it stood.

  Background:
    Given release 1.0.0 is live and healthy, and the other slot is empty
    And the primary region has the database, and the other region's standby streams from it
    And analysts and collectors are on the platform, metered on new and on reused connections

  @DR-1.2 @DR-1.3 @DR-1.4 @DR-1.5 @DR-1.6
  Scenario: A table is dropped under load, restored to just before, and put back
    When a migration drops a table of the platform, and it is restored to just before that and put back
    Then the backup alone brought the table back, row for row, and it was put back so
    And of what was acknowledged the backup alone lacked at most the last 1 h
    And writes were good again within 4 h of the loss, and stayed so for 30 s
    And every acknowledged event is there, once and unchanged
