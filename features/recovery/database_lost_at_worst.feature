@nightly @recovery @loss-server @destructive @region-primary @region-secondary @DR-1.5 @DR-1.6 @DR-2.3
Feature: The primary database is lost when its archive lacks most
  A loss that comes whenever it likes is rarely the worst. This one waits until the archive is about to get what it lacks,
  and is seen to have come then.

  Background:
    Given release 1.0.0 is live and healthy, and the other slot is empty
    And the primary region has the database, and the other region's standby streams from it
    And it is looked all the time how far the archive reaches
    And analysts and collectors are on the platform, metered on new and on reused connections

  Scenario: The primary's server is gone just before its last WAL is archived
    When the primary database loses its server just before its WAL is archived, is failed over, and handed back
    Then the loss came when the archive lacked at least 75 % of the most that it ever does
    And writes were good again within 4 h of the loss, and stayed so for 30 s
    And of what was acknowledged at most the last 1 h was lost
    And nothing is missing that was acknowledged once the lost primary was fenced, and no event is there twice
    And at no time did the archive lack anything older than 1 h
