@ENV-2.5 @DEP-2.1
Feature: A release is cut over while people use the platform
  A release manager ships in working hours. Nobody notices a release but by what it brings, and a release that is not fit
  is kept away from the public.

  Background:
    Given release 1.0.0 is live and healthy, and the other slot is empty
    And analysts and collectors are on the platform, metered on new and on reused connections

  @DEP-2.2 @OBS-1.1 @OBS-1.4
  Scenario: A good release replaces the live one
    When release 1.1.0 is cut over
    Then no request failed, was answered wrongly or went unsent
    And no outage was longer than 0.25 s
    And 99 % of requests were answered within 0.3 s
    And release 1.1.0 answered all requests from 10 s after the switch on
    And release 1.0.0 was drained within 30 s of the switch and is kept warm
    And every acknowledged event is there, once and unchanged
    And Prometheus counted at least 99.9 % of requests without a server error
    And Prometheus counted at least 99 % of requests within 0.3 s
    And Prometheus and the clients agree on the writes within 2 %

  @DEP-2.4
  Scenario: A release that fails its validation never takes traffic
    When a release that answers queries wrongly is cut over
    Then its validation failed, and the cutover ended there
    And release 1.2.0-bad answered no request of the public
    And no request failed, was answered wrongly or went unsent
    And every acknowledged event is there, once and unchanged
