@resilience @ENV-2.2 @namespace-kube-system
Feature: The cluster's DNS is stopped
  What has found its partners keeps them: without DNS, users are served on.

  Background:
    Given release 1.0.0 is live and healthy, and the other slot is empty
    And analysts and collectors are on the platform, metered on new and on reused connections

  Scenario Outline: The cluster's DNS is stopped
    When the cluster's DNS is stopped <when>
    Then the fault bit, and was undone within 90 s
    And 99 % of requests were answered well while it lasted
    And users had good service again within 10 s of the fault
    And every acknowledged event is there, once and unchanged

    Examples:
      | when                            |
      | in steady state                 |
      | while release 1.1.0 is cut over |
