@nightly @recovery @region-primary @region-secondary
Feature: The public is led to the other region as planned, and back, and nobody notices
  A region is emptied before somebody works on it, while its database stays. How long that takes is what the name and
  those who keep it make of it; nothing goes wrong, so nobody may see an error.

  Background:
    Given release 1.0.0 is live and healthy, and the other slot is empty
    And the primary region has the database, and the other region's standby streams from it
    And analysts and collectors are on the platform, metered on new and on reused connections

  @ENV-3.1 @ENV-3.3 @DR-2.2
  Scenario: Traffic is moved to the other region and back
    When the public is led to the other region as planned, and back
    Then whoever asks for the public's name may keep the answer for at most 30 s
    And the other region had what it takes to carry everybody within 60 s
    And new connections were answered by the other region alone within 60 s of the move
    And new connections were answered by the primary region alone within 60 s of the way back
    And no request failed, was answered wrongly or went unsent
    And every acknowledged event is there, once and unchanged
    And the primary region is us-east-1, and the other one us-west-2
