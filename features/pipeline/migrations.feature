@static
Feature: No migration locks, cannot go back or breaks the release before it
  What a migration does to the people who are on the platform can be told from its script, before it ever runs. Each is
  held against what keeps others waiting, what cannot be taken back, and what an older release does not survive.

  Background:
    Given the platform's migrations

  @DEP-3.5
  Scenario: Nobody waits for a migration
    Then every migration keeps nobody waiting

  @DEP-3.2
  Scenario: A migration can be taken back
    Then every migration has a way down and says what is lost

  @DEP-3.1
  Scenario: A migration leaves the release before it working
    Then every migration expands or contracts, and not both
