@nightly @recovery @backups @loss-servers @destructive @region-primary @region-secondary
Feature: Both database servers are gone, and one repository alone brings them back
  No standby is left to promote. What one region's repository has goes onto an empty volume and takes writes, the other
  server is made anew from it, and nobody is ever told two things by two databases.

  Background:
    Given release 1.0.0 is live and healthy, and the other slot is empty
    And the primary region has the database, and the other region's standby streams from it
    And analysts and collectors are on the platform, metered on new and on reused connections

  @DR-1.2 @DR-1.4 @DR-1.5 @DR-1.6 @DR-2.3
  Scenario: Both servers lose their data under load
    When both database servers are lost with their data, and one repository alone brings them back
    Then writes were good again within 4 h of the loss, and stayed so for 30 s
    And at most the last 1 h of what was acknowledged was lost with them
    And nothing is missing that was acknowledged once the restored server took writes, and no event is there twice
