@ENV-2.3 @nightly @performance
Feature: A crowd comes at once
  A campaign starts, or a competitor fails, and users come within a second. The platform takes them without anybody noticing,
  and nothing of the crowd is left when it has gone.

  Scenario: Twice as many users as usual come at once and leave again
    Given release 1.0.0 is live and healthy, and the other slot is empty
    When the load leaps to 2 times the usual for 15 s, with 15 s of the usual before and after
    Then the load was sent as planned: 99 % within 20 ms of when it was due
    And no request failed, was answered wrongly or went unsent
    And 99 % of requests were answered within 0.3 s while the load was highest
    And 99 % of requests were answered within 0.3 s from 5 s after that on
    And every acknowledged event is there, once and unchanged
    And Prometheus and the clients agree on the writes within 2 %
