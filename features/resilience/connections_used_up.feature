@resilience @ENV-2.2 @pods-100
Feature: The database's connections are used up
  Somebody's job takes every connection that is left. What the service holds already has to carry its users.

  Background:
    Given release 1.0.0 is live and healthy, and the other slot is empty
    And analysts and collectors are on the platform, metered on new and on reused connections

  Scenario Outline: The database's connections are used up
    When the database's connections are used up <when>
    Then the fault bit, and was undone within 60 s
    And 99 % of requests were answered well while it lasted
    And users had good service again within 10 s of the fault
    And every acknowledged event is there, once and unchanged

    Examples:
      | when                            |
      | in steady state                 |
      | while release 1.1.0 is cut over |
