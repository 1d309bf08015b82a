@nightly @recovery @backups @region-primary @region-secondary @DEP-3.3
Feature: The database is backed up before a release changes it
  A release that has to be given up may have done something to the data that no way down undoes. Then the backup from just
  before it is all there is: it has to be complete before the release changes anything, and to bring back all until then.

  Scenario: A release with a migration is deployed after a backup that brings back everything up to then
    Given release 1.0.0 is live and healthy, and the other slot is empty
    And its table has at least 2000 rows, and its schema is that of release 1.0.0
    And the primary region has the database, and the other region's standby streams from it
    And analysts and collectors are on the platform, metered on new and on reused connections
    When the database is backed up, release 1.1.0 is deployed with its migration and taken back, and the backups restored
    Then in each repository a backup was complete at most 600 s before the deployment, and not after it began
    And the deployment migrated the database
    And each repository alone was restored, from that backup, to at most 5 s before the deployment
    And of each the whole ladder holds, from its verification to a server that takes writes
    And every event that was acknowledged before that moment is restored, and none that was sent after it
    And every restored event is what the primary has
    And every acknowledged event is there, once and unchanged
