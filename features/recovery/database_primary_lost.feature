@nightly @recovery @loss-server @destructive @region-primary @region-secondary @DR-1.5 @DR-1.6 @DR-2.3
Feature: The primary database is lost while its region lives
  The servers of the application are well, and what they write to is gone. Users stay where they are, and their writes
  cross over to the other region's database until the lost one is rebuilt.

  Background:
    Given release 1.0.0 is live and healthy, and the other slot is empty
    And the primary region has the database, and the other region's standby streams from it
    And somebody keeps trying to write to the primary database, past every name and pooler
    And it is looked all the time how far the archive reaches
    And every layer is probed by itself, at the same moments
    And analysts and collectors are on the platform, metered on new and on reused connections

  Scenario: The primary's server is gone and does not come back
    When the primary database loses its server, is failed over by itself, and is handed its place back
    Then writes were good again within 4 h of the loss, and stayed so for 30 s
    And of the time without writes after the loss at most 5 s is explained by no layer
    And at least 50 % of the time without writes after the loss that a layer explains is put down to the database
    And the health check was good for at most 10 s while the database took no writes
    And of what was acknowledged at most the last 1 h was lost
    And nothing is missing that was acknowledged once the lost primary was fenced, and no event is there twice
    And the lost primary took no write once another one was promoted
    And at no time did the archive lack anything older than 1 h
    And for at most 30 s in all nothing could be written while the place was handed back
