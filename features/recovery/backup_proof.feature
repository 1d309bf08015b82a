@nightly @recovery @backups @region-primary @region-secondary
Feature: Backups are proved by restoring them
  A backup that verifies is not yet one that restores, and one that restores is not yet what was promised. Each region's
  repository has to bring the database back alone, to a moment, with all that users were told is kept.

  Background:
    Given release 1.0.0 is live and healthy, and the other slot is empty
    And the primary region has the database, and the other region's standby streams from it
    And analysts and collectors are on the platform, metered on new and on reused connections

  @DR-1.2 @DR-1.3 @DR-1.4 @DR-1.6
  Scenario: Each repository alone brings the database back to a moment
    When each repository alone is restored, where nothing is, to a moment between two writes
    Then of each the whole ladder holds, from its verification to a server that takes writes
    And every event that was acknowledged before that moment is restored, and none that was sent after it
    And every restored event is what the primary has
    And every acknowledged event is there, once and unchanged
