@ENV-2.5 @DEP-2.3
Feature: A release is taken back within 2 minutes
  Some releases pass every check and fail in use. What they do to users has to end within 2 minutes of its beginning, and
  nothing that users stored meanwhile may be lost.

  Background:
    Given release 1.0.0 is live and healthy, and the other slot is empty
    And analysts and collectors are on the platform, metered on new and on reused connections

  @DEP-2.4 @OBS-1.4
  Scenario Outline: A bad release that passes its health checks is taken back by itself
    When a release that <flaw> under load is cut over
    Then it was found bad, and traffic was sent back to release 1.0.0
    And its users had bad answers for at most 120 s
    And release 1.0.0 answered all requests from 10 s after the way back on
    And every acknowledged event is there, once and unchanged

    Examples:
      | flaw                           |
      | fails 10 % of requests         |
      | takes 0.5 s longer             |
      | answers 20 % of queries wrongly |

  Scenario: An operator takes back a release that was live for a while
    When release 1.1.0 is cut over and, after 10 s, taken back by an operator
    Then release 1.0.0 answered all requests from 120 s after the operator's order on
    And no request failed, was answered wrongly or went unsent
    And every event that release 1.1.0 acknowledged is there, once and unchanged
    And every acknowledged event is there, once and unchanged
