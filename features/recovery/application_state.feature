@nightly @recovery @region-primary @region-secondary @DR-2.4
Feature: What people have begun in one region goes on in the other one
  Whoever is logged in stays so when another region serves, and what was sent and not answered yet is done once. The
  database and the public go to the other region as planned, and come back, while both are under way.

  Background:
    Given release 1.0.0 is live and healthy, and the other slot is empty
    And the primary region has the database, and the other region's standby streams from it
    And people have sessions of both regions, and jobs are sent to both all the time
    And analysts and collectors are on the platform, metered on new and on reused connections

  Scenario: Sessions and jobs in flight go to the other region and back
    When the database and the public go to the other region as planned, and both come back
    Then every session is honoured by the other region while it has the public
    And every session is honoured by the primary region once it has the database again
    And no session that was forged, or is over, is honoured by either of them
    And every job in flight at the switch is finished by the other region
    And every job in flight at the way back is finished by the primary region
    And each of those jobs is stored once, as it was sent, and is answered the same when it is sent again
    And every acknowledged event is there, once and unchanged
