@ENV-2.3 @nightly @performance @workers
Feature: Load comes from more than one place
  One machine can send so much and no more. Workers within the cluster share one schedule that was fixed beforehand, and what
  they saw is added up, not averaged.

  Scenario: Two workers send one schedule, and their histograms are one
    Given release 1.0.0 is live and healthy, and the other slot is empty
    And analysts and collectors are on the platform, metered on new and on reused connections
    When 2 workers in the cluster send 80 requests a second between them for 40 s
    Then every worker sent its share: 99 % within 20 ms of when it was due
    And the workers' clocks were within 2 s of the run's
    And no request of the workers failed, was answered wrongly or went unsent
    And 99 % of the workers' requests were answered within 0.3 s
    And every event that the workers had acknowledged is there, once and unchanged
    And no request failed, was answered wrongly or went unsent
    And every acknowledged event is there, once and unchanged
