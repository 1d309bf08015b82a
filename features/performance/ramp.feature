@ENV-2.3 @nightly @performance
Feature: The day begins
  Users come one after the other until all are there. No rate on the way is one that the platform cannot take.

  Scenario: The load rises to twice the usual
    Given release 1.0.0 is live and healthy, and the other slot is empty
    When the load rises from the usual to 2 times the usual within 30 s, and stays for 20 s
    Then the load was sent as planned: 99 % within 20 ms of when it was due
    And no request failed, was answered wrongly or went unsent
    And 99 % of requests were answered within 0.3 s
    And 99 % of requests were answered within 0.3 s while the load was highest
    And every acknowledged event is there, once and unchanged
    And Prometheus and the clients agree on the writes within 2 %
