@ENV-2.3 @nightly @performance
Feature: The load does not let up
  What leaks, fills up or slows down with every request shows only after many of them.

  Scenario: Five minutes of the usual load leave the platform as fast as it was
    Given release 1.0.0 is live and healthy, and the other slot is empty
    When the load stays at the usual for 5 min
    Then the load was sent as planned: 99 % within 20 ms of when it was due
    And no request failed, was answered wrongly or went unsent
    And 99 % of requests were answered within 0.3 s
    And half of the requests of the last 60 s took at most 1.5 times as long as half of the first
    And every acknowledged event is there, once and unchanged
    And Prometheus counted at least 99.9 % of requests without a server error
    And Prometheus and the clients agree on the writes within 2 %
