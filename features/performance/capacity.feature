@ENV-2.3 @nightly @performance
Feature: How much the platform takes
  Whoever plans for a busy day has to know how many users the platform bears before they notice, as a number that was
  measured, with what is not known about it.

  Scenario: The highest rate that keeps the promises is found
    Given release 1.0.0 is live and healthy, and the other slot is empty
    When the load is raised from the usual until less than 99.9 % of requests are answered well, or less than 99 % within 0.3 s
    Then the highest rate that meets both is known within a factor of 1.25
    And it is at least 1.5 times the usual
    And every event that was acknowledged at any rate is there, once and unchanged
