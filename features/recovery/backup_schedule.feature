@nightly @recovery @backups @region-primary @region-secondary
Feature: What a recovery would need is there and fresh, before anything has gone wrong
  Nothing is made to go wrong. A backup that is too old, an archive that nothing gets into or a standby that has fallen
  behind is found on the day that it happens, and not on the day that it is needed.

  Background:
    Given release 1.0.0 is live and healthy, and the other slot is empty
    And the primary region has the database, and the other region's standby streams from it
    And analysts and collectors are on the platform, metered on new and on reused connections

  @DR-1.1 @DR-1.2 @DR-1.4 @DR-1.6 @ENV-3.3 @DR-2.3
  Scenario: Backups, archives and the standby are as fresh as promised
    When the backups, the archives and the standby are looked at
    Then WAL gets into every repository
    And every region of the environment has a repository of its own
    And every repository has a full backup of the last 24 h, and 1 of them at least
    And no schedule by which the backups are made is suspended
    And a recovery from any repository alone would lack nothing older than 1 h
    And however little is written, its segment ends and is in every repository within 1 h
    And the standby lacks nothing older than 60 s
    And every acknowledged event is there, once and unchanged
    And the primary region is us-east-1, and the other one us-west-2
