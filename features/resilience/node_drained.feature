@resilience @ENV-2.2 @pods-50 @destructive @namespace-gateway
Feature: A node is drained
  Nodes are drained for maintenance in working hours. Their pods end in order, as many at a time as their budget allows,
  and users notice nothing.

  Background:
    Given release 1.0.0 is live and healthy, and the other slot is empty
    And analysts and collectors are on the platform, metered on new and on reused connections

  Scenario Outline: A node with serving pods is drained
    When a node is drained <when>
    Then the fault bit, and was undone within 180 s
    And 99 % of requests were answered well while it lasted
    And users had good service again within 60 s of the fault
    And every acknowledged event is there, once and unchanged

    Examples:
      | when                            |
      | in steady state                 |
      | while release 1.1.0 is cut over |
