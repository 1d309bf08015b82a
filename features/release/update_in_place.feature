@nightly @IAC-2.4 @pods-50
Feature: The live release is updated in place
  Not every change is a release of its own. A patch of what is live goes to the slot that has the public, pod after pod,
  and Helm takes it back where need be. Users notice neither.

  Background:
    Given release 1.0.0 is live and healthy, and the other slot is empty
    And analysts and collectors are on the platform, metered on new and on reused connections

  Scenario: An update rolls out under load, and is rolled back
    When release 1.1.0 is rolled out in place and, after 10 s, rolled back by an operator
    Then no request failed, was answered wrongly or went unsent
    And no outage was longer than 0.25 s
    And release 1.1.0 answered all requests from 120 s after its roll-out's order on
    And release 1.0.0 answered all requests from 120 s after the operator's order on
    And every acknowledged event is there, once and unchanged
