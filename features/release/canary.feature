@ENV-2.5 @DEP-2.5
Feature: A release is tried on a few users first
  Some flaws show only in use. A canary meets them on a few users, is compared with the live release at the same time, and
  gets more of the traffic only as long as it is no worse; what cannot be compared is never promoted.

  Background:
    Given release 1.0.0 is live and healthy, and the other slot is empty

  @nightly @DEP-2.2
  Scenario: A release that is no worse is promoted in steps
    Given analysts and collectors are on the platform, metered on new and on reused connections
    When release 1.1.0 is tried as a canary
    Then it was promoted in steps to all of the traffic
    And every decision follows from its users' answers
    And no request failed, was answered wrongly or went unsent
    And release 1.1.0 answered all requests from 10 s after its promotion on
    And every acknowledged event is there, once and unchanged

  @DEP-2.3 @DEP-2.4
  Scenario Outline: A worse release is aborted while few users have it
    Given analysts and collectors are on the platform, metered on new and on reused connections
    When a release that <flaw> is tried as a canary
    Then it was found worse, and all traffic was sent back to release 1.0.0
    And every decision follows from its users' answers
    And its users had bad answers for at most 120 s
    And release 1.0.0 answered all requests from 10 s after the way back on
    And every acknowledged event is there, once and unchanged

    Examples:
      | flaw                                      |
      | fails 10 % of its first users' requests   |
      | takes 50 ms longer from its first user on |

  @nightly
  Scenario: A canary that is the live release itself is not aborted
    Given analysts and collectors are on the platform, metered on new and on reused connections
    When release 1.0.0 is tried as a canary
    Then it was not aborted
    And every decision follows from its users' answers
    And no request failed, was answered wrongly or went unsent

  @nightly
  Scenario: A canary that nobody uses is never promoted
    When release 1.1.0 is tried as a canary
    Then it was held at its first weight and never promoted, since nothing could be decided
    And every decision follows from its users' answers
