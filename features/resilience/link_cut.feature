@resilience @ENV-2.2 @ENV-3.1 @region-primary @region-secondary
Feature: The link between the regions is cut
  The primary region serves on by itself, and afterwards the other one's standby streams from it again.

  Background:
    Given release 1.0.0 is live and healthy, and the other slot is empty
    And the primary region has the database, and the other region's standby streams from it
    And analysts and collectors are on the platform, metered on new and on reused connections

  Scenario Outline: The link between the regions is cut
    When the link between the regions is cut <when>
    Then the fault bit, and was undone within 60 s
    And 99 % of requests were answered well while it lasted
    And users had good service again within 10 s of the fault
    And every acknowledged event is there, once and unchanged

    Examples:
      | when                            |
      | in steady state                 |
      | while release 1.1.0 is cut over |
