@nightly @recovery @loss-cut @loss-nodes @loss-partition @destructive @region-primary @region-secondary @ENV-3.1 @ENV-3.4 @DR-1.5 @DR-1.6
Feature: A region is lost, and the other one takes over by itself
  Whoever loses a region is to be served again soon, to find what was acknowledged to them, and never to be told two
  things by two databases. Once the region is back it is handed its place, and nobody loses a write by that either.

  Of a region that lives on users keep the connections that they have, until its gateway ends them: after 30 s here.

  Background:
    Given release 1.0.0 is live and healthy, and the other slot is empty
    And the primary region has the database, and the other region's standby streams from it
    And somebody keeps trying to write to the primary database, past every name and pooler
    And every layer is probed by itself, at the same moments
    And analysts and collectors are on the platform, metered on new and on reused connections

  @ENV-3.2 @ENV-3.3 @DR-2.2 @DR-2.3
  Scenario Outline: The primary region is lost while people use it
    When the primary region <loss>, is failed over by itself, and is handed its place back
    Then writes were good again within 4 h of the loss, and stayed so for 30 s
    And of the time without writes after the loss at most 5 s is explained by no layer, beside the 30 s for which users hold a connection
    And at least 30 % of the time without writes after the loss that a layer explains is put down to the database
    And of what was acknowledged at most the last 1 h was lost
    And nothing is missing that was acknowledged once the lost primary was fenced, and no event is there twice
    And the lost primary took no write from outside its region once another one was promoted
    And users were answered by the primary region before the loss, and by the other one once writes were good again
    And for at most 30 s in all nothing could be written while the place was handed back
    And the primary region is us-east-1, and the other one us-west-2

    Examples:
      | loss                                   |
      | is cut from the network                |
      | loses all its nodes                    |
      | lives on, parted from the other region |
