@resilience @ENV-2.2 @IAC-2.5
Feature: A neighbour wants all the memory
  Who wants more memory than its limit is ended, and nobody else.

  Background:
    Given release 1.0.0 is live and healthy, and the other slot is empty
    And analysts and collectors are on the platform, metered on new and on reused connections

  Scenario Outline: A neighbour wants all the memory
    When a neighbour wants all the memory <when>
    Then the fault bit, and was undone within 90 s
    And 99 % of requests were answered well while it lasted
    And 99 % of requests were answered within 0.3 s
    And users had good service again within 10 s of the fault
    And every acknowledged event is there, once and unchanged
    And each container of the live release asks for processor and memory, and has a limit of both

    Examples:
      | when                            |
      | in steady state                 |
      | while release 1.1.0 is cut over |
