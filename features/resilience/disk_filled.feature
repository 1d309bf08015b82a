@resilience @ENV-2.2 @pods-100 @namespace-data
Feature: The database's disk is filled
  What is left of the disk carries the service until somebody makes room.

  Background:
    Given release 1.0.0 is live and healthy, and the other slot is empty
    And analysts and collectors are on the platform, metered on new and on reused connections

  Scenario Outline: The database's disk is filled
    When the database's disk is filled <when>
    Then the fault bit, and was undone within 120 s
    And 99 % of requests were answered well while it lasted
    And users had good service again within 10 s of the fault
    And every acknowledged event is there, once and unchanged

    Examples:
      | when                            |
      | in steady state                 |
      | while release 1.1.0 is cut over |
