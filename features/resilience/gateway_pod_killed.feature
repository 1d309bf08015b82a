@resilience @ENV-2.2 @pods-100 @namespace-gateway
Feature: A gateway pod is killed
  Every request comes through the gateway. Where there is one pod of it, users are without service until its replacement
  is ready; that has to be short, and nothing that was acknowledged may be lost.

  Background:
    Given release 1.0.0 is live and healthy, and the other slot is empty
    And analysts and collectors are on the platform, metered on new and on reused connections

  Scenario Outline: A gateway pod is killed
    When a gateway pod is killed <when>
    Then the fault bit, and was undone within 60 s
    And 50 % of requests were answered well while it lasted
    And users had good service again within 10 s of the fault
    And every acknowledged event is there, once and unchanged

    Examples:
      | when                            |
      | in steady state                 |
      | while release 1.1.0 is cut over |
