@nightly @recovery @state @region-primary @region-secondary
Feature: Files and secrets are in the other region, before anything has gone wrong
  A region that takes over needs more than the database: the platform's files, and the secrets that it reads. Nothing is
  made to go wrong. Each region is asked by its own means, as it would be asked when it is alone.

  Background:
    Given release 1.0.0 is live and healthy, and the other slot is empty
    And the primary region has the database, and the other region's standby streams from it

  @ENV-3.1
  Scenario: Files and secrets are in the other region, and soon
    When a file and a secret are written and changed in the primary region, and all of them are compared
    Then a file that is written or changed is so in the other region within 30 s
    And a secret that is written or changed is so in the other region within 30 s
    And every file of the primary region is in the other one, unchanged
    And no file is in the other region that the primary one has not
    And every secret of the primary region is in the other one, unchanged and in the same version
    And no secret is in the other region that the primary one has not
