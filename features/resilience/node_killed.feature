@resilience @ENV-2.2 @pods-50 @destructive
Feature: A node is killed
  A node that is gone without a word takes its pods with it, and what was on the way to them.

  Background:
    Given release 1.0.0 is live and healthy, and the other slot is empty
    And analysts and collectors are on the platform, metered on new and on reused connections

  Scenario Outline: A node is killed
    When a node is killed <when>
    Then the fault bit, and was undone within 180 s
    And 50 % of requests were answered well while it lasted
    And users had good service again within 60 s of the fault
    And every acknowledged event is there, once and unchanged

    Examples:
      | when                            |
      | in steady state                 |
      | while release 1.1.0 is cut over |
